//! How a token is written: its surface, and the marks that say how it joins its neighbors.
//!
//! There is white space between two tokens unless one of them joins the other; each kind of token is
//! expected to join or not, on either side: a comma joins what stands before it. A mark says what is not
//! expected, [`JOIN`] or [`SPACE`], as a prefix for the left side and a suffix for the right side; `"￭` opens
//! a quotation and `￭"` closes it. A mark by itself is a token, too, with the same meaning.
//!
//! Two tokens are joined if one of them says so, by a mark or as expected, and no mark asks for a space.

use super::characters::expected_joins;
use super::segment::{Kind, kind_of};

/// The mark for no white space.
pub const JOIN: char = '￭';
/// The mark for white space.
pub const SPACE: char = '␣';

/// The mark at one side of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// As expected for this kind of token.
    None = 0,
    /// [`JOIN`].
    Join = 1,
    /// [`SPACE`].
    Space = 2,
}

/// The marks at a token's left and right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Marks {
    /// At its left.
    pub left: Mark,
    /// At its right.
    pub right: Mark,
}

impl Marks {
    /// No marks.
    pub const NONE: Marks = Marks { left: Mark::None, right: Mark::None };

    /// Returns the place of these marks among all, 0 for none.
    pub fn index(self) -> usize {
        3 * self.left as usize + self.right as usize
    }

    /// Returns the marks at a place among all, the opposite of [`index`](Marks::index).
    pub(super) fn of_index(index: usize) -> Marks {
        const MARKS: [Mark; 3] = [Mark::None, Mark::Join, Mark::Space];
        Marks { left: MARKS[index / 3], right: MARKS[index % 3] }
    }
}

impl Mark {
    /// Returns the character of a mark.
    pub fn character(self) -> Option<char> {
        match self {
            Mark::None => None,
            Mark::Join => Some(JOIN),
            Mark::Space => Some(SPACE),
        }
    }

    fn of(c: Option<char>) -> Mark {
        match c {
            Some(JOIN) => Mark::Join,
            Some(SPACE) => Mark::Space,
            _ => Mark::None,
        }
    }
}

/// A token of a vocabulary, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form<'a> {
    /// A mark by itself.
    Mark(Mark),
    /// A surface with its marks.
    Word(&'a str, Marks),
}

/// Returns whether a surface begins or ends with a character that is a mark elsewhere. Such a surface is
/// expected to join both sides, and is always written with both marks.
fn is_escaped(surface: &str) -> bool {
    !surface.is_ascii() && (surface.starts_with([JOIN, SPACE]) || surface.ends_with([JOIN, SPACE]))
}

/// Returns whether a surface is expected to join what stands on its left, and on its right.
pub fn expected(surface: &str, kind: Kind) -> (bool, bool) {
    match kind {
        _ if is_escaped(surface) => (true, true),
        Kind::Word => (false, false),
        Kind::Phrasal => (true, false),
        Kind::Ideograph => (true, true),
        Kind::Symbol => {
            surface.chars().find(|&c| !super::characters::is_format(c)).map_or((false, false), expected_joins)
        }
    }
}

/// Writes a surface with its marks.
pub fn write(surface: &str, marks: Marks) -> String {
    let escaped = is_escaped(surface).then_some(JOIN);
    let mut token = String::with_capacity(surface.len() + 2 * JOIN.len_utf8());
    token.extend(marks.left.character().or(escaped));
    token.push_str(surface);
    token.extend(marks.right.character().or(escaped));
    token
}

/// Takes a token apart; the opposite of [`write()`].
pub fn parse(token: &str) -> Form<'_> {
    let left = Mark::of(token.chars().next());
    let inner = if left == Mark::None { token } else { &token[JOIN.len_utf8()..] };
    if inner.is_empty() && left != Mark::None {
        return Form::Mark(left);
    }
    let right = Mark::of(inner.chars().next_back());
    let surface = if right == Mark::None { inner } else { &inner[..inner.len() - JOIN.len_utf8()] };
    if surface.is_empty() {
        return Form::Word(inner, Marks { left, right: Mark::None });
    }
    let plain = |mark| if mark == Mark::Join && is_escaped(surface) { Mark::None } else { mark };
    Form::Word(surface, Marks { left: plain(left), right: plain(right) })
}

/// What one side of a boundary asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Join,
    Space,
}

impl Wish {
    /// Returns the wish of a side with a mark that is expected to join, or not.
    pub(super) fn of(mark: Mark, joins: bool) -> Wish {
        match mark {
            Mark::Space => Wish::Space,
            Mark::Join => Wish::Join,
            Mark::None if joins => Wish::Join,
            Mark::None => Wish::Nothing,
        }
    }

    /// Returns what both ask for: white space before joining before nothing.
    pub(super) fn and(self, other: Wish) -> Wish {
        match (self, other) {
            (Wish::Space, _) | (_, Wish::Space) => Wish::Space,
            (Wish::Join, _) | (_, Wish::Join) => Wish::Join,
            _ => Wish::Nothing,
        }
    }
}

/// A line of text that grows by one token after the other.
#[derive(Debug, Clone, Copy)]
pub struct Joiner {
    /// What the text asks for to its right; joins at a line's start.
    open: Wish,
    /// Whether the line is still empty.
    empty: bool,
}

impl Default for Joiner {
    fn default() -> Joiner {
        Joiner { open: Wish::Nothing, empty: true }
    }
}

impl Joiner {
    /// Notes a mark by itself.
    pub fn mark(&mut self, mark: Mark) {
        self.open = self.open.and(Wish::of(mark, false));
    }

    /// Returns whether there is a space before the next token.
    pub fn add(&mut self, marks: Marks, (left, right): (bool, bool)) -> bool {
        let spaced = !self.empty && self.open.and(Wish::of(marks.left, left)) != Wish::Join;
        *self = Joiner { open: Wish::of(marks.right, right), empty: false };
        spaced
    }

    /// Appends what a token adds to a text; [`LINE_BREAK`](super::vocabulary::LINE_BREAK) begins a new line.
    pub fn push(&mut self, token: &str, text: &mut String) {
        if token == super::vocabulary::LINE_BREAK {
            *self = Joiner::default();
            text.push('\n');
            return;
        }
        match parse(token) {
            Form::Mark(mark) => self.mark(mark),
            Form::Word("", _) => {}
            Form::Word(surface, marks) => {
                if self.add(marks, expected(surface, kind_of(surface))) {
                    text.push(' ');
                }
                text.push_str(surface);
            }
        }
    }
}

/// A token of a line with its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked<'a> {
    /// The token as it stands in the text.
    pub surface: &'a str,
    /// Its marks: of two tokens, the symbol carries the mark rather than the word, else the right one.
    pub marks: Marks,
}

/// Calls a function with the tokens of a line, each with its marks.
pub fn marked<'a>(line: &'a str, mut each: impl FnMut(Marked<'a>)) {
    let mut tokens = super::segment::segments(line);
    let Some(first) = tokens.next() else { return };
    let mut last = Marked { surface: first.surface, marks: Marks::NONE };
    let mut before = (first.kind, expected(first.surface, first.kind).1);
    for next in tokens {
        let (left, right) = expected(next.surface, next.kind);
        let (kind, joins) = before;
        let mark = match (joins || left, next.spaced) {
            (true, true) => Mark::Space,
            (false, false) => Mark::Join,
            _ => Mark::None,
        };
        let carried = next.kind >= kind;
        if !carried {
            last.marks.right = mark;
        }
        each(last);
        let left = if carried { mark } else { Mark::None };
        last = Marked { surface: next.surface, marks: Marks { left, right: Mark::None } };
        before = (next.kind, right);
    }
    each(last);
}
