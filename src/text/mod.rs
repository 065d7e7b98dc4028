//! Text as tokens that can be written back: words and symbols, each with the way it joins its neighbors.
//!
//! [`segment`] cuts a text into words and symbols, by grapheme clusters (Unicode Standard Annex #29).
//! [`form`] writes a token as a string: its surface, and marks where white space beside it is missing or
//! present against expectation. [`vocabulary`] maps these strings to ids and back; [`counts`] counts them in
//! texts, and [`build`] lists the frequent ones.
//!
//! Decoding restores every text whose tokens are known, except which white space stood between two tokens,
//! and how much of it. White space at the ends of lines is not kept.
//!
//! # Example
//! ```
//! use rnnrs::text::vocabulary::Words;
//!
//! let text = "\"3.14?\" 你好，世界。";
//! let words = Words::new(&rnnrs::text::build::build(text, 1, None))?;
//! let ids = words.encode(text);
//! assert_eq!(words.pieces(text)[..4], ["\"￭", "3", ".￭", "14"]);
//! assert_eq!(words.decode(&ids)?, text);
//! # Ok::<(), rnnrs::Error>(())
//! ```

pub mod build;
mod characters;
pub mod counts;
pub mod form;
mod forms;
pub mod segment;
pub mod vocabulary;
