//! Segmentation of a line into words and symbols.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::characters::{is_format, is_ideograph, is_phrasal, is_prolonging, is_space, is_word};

/// The kinds of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A run of letters, digits and underscores, with their marks, that may contain apostrophes and hyphens.
    Word,
    /// A cluster of a script with spaces between phrases: Thai, Lao, Khmer, Myanmar.
    Phrasal,
    /// A cluster of a script without spaces: a Chinese character, a Japanese syllable.
    Ideograph,
    /// Any other cluster: punctuation, an emoji.
    Symbol,
}

/// A token of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The token as it stands in the text.
    pub surface: &'a str,
    /// Where it stands in the text, in bytes.
    pub start: usize,
    /// Its kind.
    pub kind: Kind,
    /// Whether there is white space before it.
    pub spaced: bool,
}

/// The tokens of a line; a line break is white space like any other.
///
/// Format characters, such as soft hyphens and marks of direction, belong to the word beside them, else to
/// the symbol beside them.
pub struct Segments<'a> {
    line: &'a str,
    /// Where the run that is being cut begins and ends: text without white space.
    run: Range<usize>,
    /// The ends and roles of the run's clusters.
    clusters: Vec<(usize, Role)>,
    /// The number of clusters that have been used.
    used: usize,
}

/// What a cluster does in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Part of a word.
    Word,
    /// An apostrophe or a hyphen: part of a word if between its letters.
    Inner,
    /// Part of the token beside it.
    Format,
    /// A prolonged sound: part of a word that has begun.
    Prolonging,
    Phrasal,
    Ideograph,
    Symbol,
}

/// Returns the tokens of a line.
pub fn segments(line: &str) -> Segments<'_> {
    Segments { line, run: 0..0, clusters: Vec::new(), used: 0 }
}

/// Returns the kind of a token by its surface.
pub fn kind_of(surface: &str) -> Kind {
    segments(surface).next().map_or(Kind::Symbol, |segment| segment.kind)
}

/// Returns the last word of a text that ends in one; an apostrophe or a hyphen may follow it.
///
/// It is empty after white space or another symbol, and in scripts without spaces.
pub fn last_word(text: &str) -> &str {
    let start = text.rfind(is_space).map_or(0, |i| i + text[i..].chars().next().map_or(0, char::len_utf8));
    let run = &text[start..];
    let mut word = None;
    for Segment { surface, start, kind, .. } in segments(run) {
        let goes_on = matches!(surface, "'" | "’" | "-") && start + surface.len() == run.len();
        word = if kind == Kind::Word { Some(start) } else { word.filter(|_| goes_on) };
    }
    word.map_or("", |start| &run[start..])
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let mut spaced = false;
        if self.used == self.clusters.len() {
            let rest = &self.line[self.run.end..];
            let text = rest.trim_start_matches(is_space);
            spaced = text.len() < rest.len();
            let start = self.line.len() - text.len();
            let run = first_run(text);
            self.run = start..start + run.len();
            self.clusters.clear();
            self.used = 0;
            clusters(run, &mut self.clusters);
            self.clusters.first()?;
        }
        let start = self.run.start + self.end_of(self.used);
        let (used, kind) = self.token(self.used);
        self.used = used;
        let surface = &self.line[start..self.run.start + self.end_of(used)];
        Some(Segment { surface, start, kind, spaced })
    }
}

impl Segments<'_> {
    /// Returns the place in the run after this many clusters.
    fn end_of(&self, count: usize) -> usize {
        if count == 0 { 0 } else { self.clusters[count - 1].0 }
    }

    fn role(&self, place: usize) -> Option<Role> {
        self.clusters.get(place).map(|&(_, role)| role)
    }

    fn after_formats(&self, mut place: usize) -> usize {
        while self.role(place) == Some(Role::Format) {
            place += 1;
        }
        place
    }

    /// Returns the end and the kind of the token that begins at a cluster.
    fn token(&self, start: usize) -> (usize, Kind) {
        let first = self.after_formats(start);
        let kind = match self.role(first) {
            Some(Role::Word) => return (self.end_of_word(first), Kind::Word),
            Some(Role::Ideograph | Role::Prolonging) => Kind::Ideograph,
            Some(Role::Phrasal) => Kind::Phrasal,
            Some(_) => Kind::Symbol,
            None => return (first, Kind::Symbol),
        };
        let next = self.after_formats(first + 1);
        (if self.role(next) == Some(Role::Word) { first + 1 } else { next }, kind)
    }

    fn end_of_word(&self, first: usize) -> usize {
        let mut place = first + 1;
        loop {
            place = match self.role(place) {
                Some(Role::Word | Role::Prolonging | Role::Format) => place + 1,
                Some(Role::Inner) => match self.after_formats(place + 1) {
                    next if self.role(next) == Some(Role::Word) => next + 1,
                    _ => return place,
                },
                _ => return place,
            }
        }
    }
}

/// Returns the beginning of a text up to the first white space.
fn first_run(text: &str) -> &str {
    let end = text.bytes().position(|b| !b.is_ascii_graphic()).unwrap_or(text.len());
    &text[..end + text[end..].find(is_space).unwrap_or(text.len() - end)]
}

/// Appends the ends and roles of a run's grapheme clusters; those of words in a row are one.
fn clusters(run: &str, found: &mut Vec<(usize, Role)>) {
    let mut push = |end: usize, role: Role| match found.last_mut() {
        Some(last) if last.1 == Role::Word && role == Role::Word => last.0 = end,
        _ => found.push((end, role)),
    };
    if run.is_ascii() {
        run.bytes().enumerate().for_each(|(i, b)| push(i + 1, role_of(char::from(b))));
    } else if run.chars().all(stands_alone) {
        run.char_indices().for_each(|(i, c)| push(i + c.len_utf8(), role_of(c)));
    } else {
        run.grapheme_indices(true).for_each(|(i, cluster)| push(i + cluster.len(), role(cluster)));
    }
}

/// Returns whether a character is a cluster by itself beside any others of which this is true.
fn stands_alone(c: char) -> bool {
    matches!(c,
        '\0'..'\u{300}' | '\u{370}'..'\u{483}' | '\u{48a}'..'\u{530}' // Latin, Greek, Cyrillic
        | '\u{2010}'..'\u{2028}' | '\u{3000}'..'\u{302a}' | '\u{3041}'..'\u{3099}' | '\u{309b}'..'\u{3130}'
        | '\u{3400}'..'\u{a000}' | '\u{ac00}'..'\u{d7a4}' | '\u{ff01}'..'\u{ff9e}') // Chinese, Japanese, Korean
}

/// Returns the role of a cluster.
fn role(cluster: &str) -> Role {
    let mut characters = cluster.chars();
    let Some(base) = characters.find(|&c| !is_format(c)) else {
        return Role::Format;
    };
    match role_of(base) {
        // An apostrophe with an accent is a symbol; so are keycaps and letters that are drawn as pictures.
        Role::Inner if cluster.len() > base.len_utf8() => Role::Symbol,
        Role::Word if characters.any(|c| matches!(c, '\u{fe0f}' | '\u{20e3}')) => Role::Symbol,
        role => role,
    }
}

/// Returns the role of a cluster by its first character that is not a format character.
#[inline]
fn role_of(base: char) -> Role {
    match base {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => Role::Word,
        '\'' | '’' | '-' => Role::Inner,
        '\0'..='\x7f' => Role::Symbol,
        _ if is_format(base) => Role::Format,
        _ if is_ideograph(base) => Role::Ideograph,
        _ if is_phrasal(base) => Role::Phrasal,
        _ if is_prolonging(base) => Role::Prolonging,
        _ if is_word(base) => Role::Word,
        _ => Role::Symbol,
    }
}
