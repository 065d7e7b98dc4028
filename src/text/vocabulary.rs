//! Texts as the ids of words and symbols, and back.

use super::form::{Form, Joiner, Mark, Marked, Marks, expected, marked, parse, write};
use super::forms::Forms;
use super::segment::kind_of;
use crate::error::{Error, Result};

/// The token of a line break.
pub const LINE_BREAK: &str = "<eos>";
/// The token of everything outside the vocabulary.
pub const UNKNOWN: &str = "<unk>";
/// The tokens that every vocabulary begins with.
pub const SPECIAL: [&str; 2] = [LINE_BREAK, UNKNOWN];
/// The marks by themselves.
pub const MARKS: [&str; 2] = ["￭", "␣"];

const DECODE: &str = "WordVocabulary.decode";

/// A vocabulary of words and symbols with their marks.
pub struct Words {
    tokens: Vec<Token>,
    /// The ids of the marks by themselves; a vocabulary of plain words needs none.
    marks: [Option<i64>; 2],
    forms: Forms,
    /// The id of each form.
    ids: Vec<u32>,
}

/// A token taken apart.
enum Token {
    LineBreak,
    Mark(Mark),
    Word { surface: Box<str>, marks: Marks, expected: (bool, bool) },
}

/// What a token of a text becomes.
enum Encoded<'a> {
    /// A known form: its id.
    Known(u32),
    /// A known surface whose marks are tokens by themselves.
    Apart(u32, Marked<'a>),
    /// An unknown surface.
    Unknown(Marked<'a>),
}

impl Words {
    /// Returns the vocabulary with these tokens, by id. Without [`MARKS`], a form that it lacks loses its
    /// marks.
    ///
    /// # Errors
    /// If they do not begin with [`SPECIAL`], or one occurs twice.
    pub fn new<S: AsRef<str>>(tokens: &[S]) -> Result<Words> {
        let tokens: Vec<&str> = tokens.iter().map(AsRef::as_ref).collect();
        let begin = tokens.iter().take(SPECIAL.len()).copied();
        if !begin.eq(SPECIAL) || u32::try_from(tokens.len()).is_err() {
            return Err(invalid(format!("{:?}", tokens.iter().take(SPECIAL.len()).collect::<Vec<_>>())));
        }
        let mut words = Words {
            tokens: Vec::with_capacity(tokens.len()),
            marks: [None; 2],
            forms: Forms::default(),
            ids: Vec::new(),
        };
        for (id, token) in tokens.into_iter().enumerate() {
            words.push(id, token)?;
        }
        Ok(words)
    }

    fn push(&mut self, id: usize, token: &str) -> Result<()> {
        if id == 0 {
            self.tokens.push(Token::LineBreak);
            return Ok(());
        }
        match parse(token) {
            Form::Mark(mark) => {
                if self.marks[mark as usize - 1].replace(id as i64).is_some() {
                    return Err(invalid(format!("{token:?} twice")));
                }
                self.tokens.push(Token::Mark(mark));
            }
            Form::Word(surface, marks) => {
                // No token of a text is "<unk>": it consists of three.
                if self.forms.insert(surface, marks) < self.ids.len() || token == LINE_BREAK {
                    return Err(invalid(format!("{token:?} twice")));
                }
                self.ids.push(id as u32);
                let expected = expected(surface, kind_of(surface));
                self.tokens.push(Token::Word { surface: surface.into(), marks, expected });
            }
        }
        Ok(())
    }

    /// Returns the ids of a text; every line break becomes that of [`LINE_BREAK`].
    pub fn encode(&self, text: &str) -> Vec<i64> {
        let mut ids = Vec::with_capacity(text.len() / 4);
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                ids.push(0);
            }
            marked(line, |token| match self.find(token) {
                Encoded::Known(id) => ids.push(i64::from(id)),
                Encoded::Apart(id, token) => around(token, &mut ids, i64::from(id), |mark| self.mark(mark)),
                Encoded::Unknown(_) if self.marks.contains(&None) => ids.push(1),
                Encoded::Unknown(token) => around(token, &mut ids, 1, |mark| self.mark(mark)),
            });
        }
        ids
    }

    /// Returns the tokens of a text, one for each id of [`encode`](Words::encode): the surface where that is
    /// unknown, with its marks if the vocabulary has no tokens for these.
    pub fn pieces(&self, text: &str) -> Vec<String> {
        let mut pieces = Vec::new();
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                pieces.push(LINE_BREAK.to_string());
            }
            marked(line, |token| match self.find(token) {
                Encoded::Unknown(token) if self.marks.contains(&None) => {
                    pieces.push(write(token.surface, token.marks));
                }
                Encoded::Known(_) => pieces.push(write(token.surface, token.marks)),
                Encoded::Apart(_, token) | Encoded::Unknown(token) => {
                    let bare = write(token.surface, Marks::NONE);
                    around(token, &mut pieces, bare, |mark| {
                        self.mark(mark).and(mark.character()).map(String::from)
                    });
                }
            });
        }
        pieces
    }

    /// Returns the text of ids.
    ///
    /// # Errors
    /// For an id outside the vocabulary.
    pub fn decode(&self, ids: &[i64]) -> Result<String> {
        let (mut text, mut line) = (String::new(), Joiner::default());
        for (position, &id) in ids.iter().enumerate() {
            let token = usize::try_from(id).ok().and_then(|id| self.tokens.get(id));
            let last = self.tokens.len() as i64 - 1;
            match token.ok_or(Error::TokenId { op: DECODE, argument: "ids", position, id, last })? {
                Token::LineBreak => {
                    text.push('\n');
                    line = Joiner::default();
                }
                Token::Mark(mark) => line.mark(*mark),
                Token::Word { surface, marks, expected } => {
                    if line.add(*marks, *expected) {
                        text.push(' ');
                    }
                    text.push_str(surface);
                }
            }
        }
        Ok(text)
    }

    /// Returns the id of a mark by itself, if there is one, and if it is one.
    fn mark(&self, mark: Mark) -> Option<i64> {
        (mark as usize).checked_sub(1).and_then(|place| self.marks[place])
    }

    fn find<'a>(&self, token: Marked<'a>) -> Encoded<'a> {
        let id = |marks| self.forms.find(token.surface, marks).map(|number| self.ids[number]);
        match id(token.marks) {
            Some(known) => Encoded::Known(known),
            None if token.marks == Marks::NONE => Encoded::Unknown(token),
            None => id(Marks::NONE).map_or(Encoded::Unknown(token), |bare| Encoded::Apart(bare, token)),
        }
    }
}

/// Appends a token between its marks.
fn around<T>(token: Marked<'_>, to: &mut Vec<T>, bare: T, mark: impl Fn(Mark) -> Option<T>) {
    to.extend(mark(token.marks.left));
    to.push(bare);
    to.extend(mark(token.marks.right));
}

fn invalid(got: String) -> Error {
    let expected = format!("{SPECIAL:?} and then different words");
    Error::Value { op: "WordVocabulary", argument: "tokens", expected, got }
}
