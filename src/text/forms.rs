//! A table of forms: surfaces with their marks, each under a number.

use std::hash::{BuildHasher, RandomState};

use super::form::Marks;

/// Forms in the order in which they were first met.
///
/// All surfaces stand in one block of memory, behind each other, and a table with open addressing finds them.
/// So a form takes little more memory than its letters, and finding one touches few places.
#[derive(Debug)]
pub(super) struct Forms {
    seed: u64,
    /// The forms by hash. A power of two, at most ¾ full.
    table: Vec<Slot>,
    /// The marks and the surface of each form.
    bytes: Vec<u8>,
    /// The end of each form in `bytes`.
    ends: Vec<usize>,
}

/// An odd number without a pattern in its bits.
const FACTOR: u64 = 0xf39c_c060_5ced_c835;

/// A place of the table: 1 + the number of a form, 0 for none; and a part of its hash.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    number: u32,
    tag: u32,
}

impl Default for Forms {
    fn default() -> Forms {
        Forms { seed: RandomState::new().hash_one(0), table: Vec::new(), bytes: Vec::new(), ends: Vec::new() }
    }
}

impl Forms {
    /// Returns the number of forms.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns a form by its number.
    pub(super) fn get(&self, number: usize) -> (&str, Marks) {
        let (marks, surface) = self.form(number);
        (str::from_utf8(surface).expect("surfaces are copied from texts"), Marks::of_index(marks.into()))
    }

    /// Returns the number of a form, if it is there.
    pub(super) fn find(&self, surface: &str, marks: Marks) -> Option<usize> {
        if self.table.is_empty() {
            return None;
        }
        let place = self.place(surface.as_bytes(), marks.index() as u8);
        (self.table[place].number as usize).checked_sub(1)
    }

    /// Returns the number of a form, which is the next one if the form is new.
    pub(super) fn insert(&mut self, surface: &str, marks: Marks) -> usize {
        if (self.len() + 1) * 4 > self.table.len() * 3 {
            self.index((2 * self.table.len()).max(1024));
        }
        let (surface, marks) = (surface.as_bytes(), marks.index() as u8);
        let place = self.place(surface, marks);
        if self.table[place].number == 0 {
            self.bytes.push(marks);
            self.bytes.extend_from_slice(surface);
            self.ends.push(self.bytes.len());
            let number = u32::try_from(self.len()).expect("fewer than 2³² forms");
            self.table[place] = Slot { number, tag: tag(self.hash(surface)) };
        }
        self.table[place].number as usize - 1
    }

    /// Drops the forms that a function of their numbers refuses, and numbers the others anew, in their order.
    pub(super) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let (mut kept, mut begin, mut end) = (0, 0, 0);
        for number in 0..self.len() {
            let form = begin..self.ends[number];
            begin = form.end;
            if keep(number) {
                self.bytes.copy_within(form.clone(), end);
                end += form.len();
                self.ends[kept] = end;
                kept += 1;
            }
        }
        self.bytes.truncate(end);
        self.ends.truncate(kept);
        self.index(self.table.len());
    }

    /// Returns the place of a form in the table, or the free one where it belongs.
    fn place(&self, surface: &[u8], marks: u8) -> usize {
        let (mask, hash) = (self.table.len() - 1, self.hash(surface));
        let mut place = hash as usize & mask;
        loop {
            let Slot { number, tag: found } = self.table[place];
            if number == 0 || (found == tag(hash) && self.form(number as usize - 1) == (marks, surface)) {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    /// Returns the marks and the surface of a form.
    fn form(&self, number: usize) -> (u8, &[u8]) {
        let begin = if number == 0 { 0 } else { self.ends[number - 1] };
        (self.bytes[begin], &self.bytes[begin + 1..self.ends[number]])
    }

    /// Makes the table anew, with this many places.
    fn index(&mut self, places: usize) {
        self.table = Vec::new(); // freed before the new one takes memory
        self.table = vec![Slot::default(); places];
        for number in 0..self.len() {
            let (marks, surface) = self.form(number);
            let (place, tag) = (self.place(surface, marks), tag(self.hash(surface)));
            self.table[place] = Slot { number: number as u32 + 1, tag };
        }
    }

    /// Returns the hash of a surface: eight bytes at a time, by the halves of a product. The seed is random.
    fn hash(&self, surface: &[u8]) -> u64 {
        let fold = |hash: u64, word: u64| {
            let product = u128::from(hash ^ word) * u128::from(FACTOR);
            product as u64 ^ (product >> 64) as u64
        };
        let words = surface.chunks_exact(8);
        let last =
            words.remainder().iter().fold(surface.len() as u64, |word, &byte| word << 8 | u64::from(byte));
        let hash = words.fold(self.seed, |hash, word| {
            fold(hash, u64::from_le_bytes(word.try_into().expect("eight bytes")))
        });
        fold(fold(hash, last), self.seed)
    }
}

/// Returns the part of a hash that the table holds; the lower bits choose the place.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}
