//! Counts of the words and symbols of texts that are read part by part.

use super::form::{Marks, marked};
use super::forms::Forms;

/// The number of occurrences of each form: a surface with its marks. Ten million of them take about 900 MB.
#[derive(Debug, Default)]
pub struct Counts {
    forms: Forms,
    counts: Vec<u64>,
}

impl Counts {
    /// Returns the counts of a text.
    pub fn of(text: &str) -> Counts {
        let mut counts = Counts::default();
        counts.read(text);
        counts
    }

    /// Returns the number of different forms.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Returns whether nothing has been counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Returns the forms with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Marks, u64)> {
        self.counts.iter().enumerate().map(|(number, &count)| {
            let (surface, marks) = self.forms.get(number);
            (surface, marks, count)
        })
    }

    /// Counts the words and symbols of a text.
    pub fn read(&mut self, text: &str) {
        for line in text.split('\n') {
            marked(line, |token| self.add(token.surface, token.marks, 1));
        }
    }

    /// Adds the counts of another text.
    pub fn merge(&mut self, other: &Counts) {
        other.iter().for_each(|(surface, marks, count)| self.add(surface, marks, count));
    }

    /// Drops the rarest forms, so that at most `most` remain. Returns the highest count that was dropped.
    pub fn prune(&mut self, most: usize) -> u64 {
        if self.len() <= most {
            return 0;
        }
        let mut ordered = self.counts.clone();
        let (_, &mut floor, _) = ordered.select_nth_unstable_by(most, |a, b| b.cmp(a));
        drop(ordered);
        self.forms.retain(|number| self.counts[number] > floor);
        self.counts.retain(|&count| count > floor);
        floor
    }

    fn add(&mut self, surface: &str, marks: Marks, count: u64) {
        let number = self.forms.insert(surface, marks);
        if number == self.counts.len() {
            self.counts.push(0);
        }
        self.counts[number] += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(counts: &Counts) -> Vec<(String, usize, u64)> {
        let mut found: Vec<_> = counts.iter().map(|(s, m, n)| (s.to_string(), m.index(), n)).collect();
        found.sort();
        found
    }

    #[test]
    fn parts_count_as_the_whole() {
        let lines: Vec<String> = (0..3000).map(|i| format!("w{} \"w{}\" , x", i % 1700, i % 7)).collect();
        let whole = Counts::of(&lines.join("\n"));
        let mut parts = Counts::default();
        for part in lines.chunks(123) {
            parts.merge(&Counts::of(&part.join("\n")));
        }
        assert!(whole.len() > 1700);
        assert_eq!(sorted(&parts), sorted(&whole));
    }

    #[test]
    fn the_rarest_forms_are_dropped() {
        let mut counts = Counts::of("a a a b b c c d");
        assert_eq!(counts.prune(4), 0);
        assert_eq!(counts.prune(2), 2); // b and c are equally rare
        assert_eq!(sorted(&counts), [("a".to_string(), 0, 3)]);
        counts.read("b a");
        assert_eq!(sorted(&counts), [("a".to_string(), 0, 4), ("b".to_string(), 0, 1)]);
        assert_eq!(counts.prune(0), 4);
        assert!(counts.is_empty());
    }
}
