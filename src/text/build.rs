//! Vocabularies of counted words and symbols.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::counts::Counts;
use super::form::{Marks, write};
use super::segment::{Kind, kind_of};
use super::vocabulary::{MARKS, SPECIAL};

type Form<'a> = (&'a str, Marks);

/// A form with its count and its token.
type Counted<'a> = (Reverse<u64>, String, Form<'a>);

/// Returns the tokens of a text; see [`tokens`].
pub fn build(text: &str, least: u64, most: Option<usize>) -> Vec<String> {
    tokens(&Counts::of(text), least, most)
}

/// Returns the tokens of counted texts: [`SPECIAL`] and [`MARKS`], then the words and symbols with their
/// marks, the most frequent first. Words alone need no marks.
///
/// A form with marks that is left out counts as its surface without marks: in texts, its marks are tokens of
/// their own. A surface that is listed with marks is listed without them, too, so it is known in any place.
///
/// # Arguments
/// * `least`: the minimum number of occurrences.
/// * `most`: the maximum number of tokens, the special ones included.
pub fn tokens(counts: &Counts, least: u64, most: Option<usize>) -> Vec<String> {
    let mut counts = frequent(counts, least);
    for (surface, _) in counts.keys().copied().collect::<Vec<_>>() {
        counts.entry((surface, Marks::NONE)).or_default();
    }
    let most = most.map_or(usize::MAX, |most| most.saturating_sub(SPECIAL.len()));
    let is_word = |(surface, _): &Form<'_>| kind_of(surface) == Kind::Word;
    let mut special = SPECIAL.to_vec();
    // A bound may leave nothing but words.
    let words_alone = if counts.len() <= most {
        counts.keys().all(is_word)
    } else {
        fitted(&mut counts.clone(), most).iter().all(|(_, _, form)| is_word(form))
    };
    if !words_alone {
        special.extend(MARKS);
    }
    let kept = fitted(&mut counts, most.saturating_sub(special.len() - SPECIAL.len()));
    special.into_iter().map(String::from).chain(kept.into_iter().map(|(_, token, _)| token)).collect()
}

/// Returns the forms that occur often enough; those with marks among the others count as their surfaces.
fn frequent(counts: &Counts, least: u64) -> HashMap<Form<'_>, u64> {
    let mut apart: HashMap<&str, u64> = HashMap::new();
    for (surface, _, count) in counts.iter().filter(|form| form.1 != Marks::NONE && form.2 < least) {
        *apart.entry(surface).or_default() += count;
    }
    let mut found = HashMap::new();
    for (surface, marks, count) in counts.iter() {
        let more = if marks == Marks::NONE { apart.remove(surface).unwrap_or(0) } else { 0 };
        if count + more >= least {
            found.insert((surface, marks), count + more);
        }
    }
    found
        .extend(apart.into_iter().filter(|form| form.1 >= least).map(|(s, count)| ((s, Marks::NONE), count)));
    found
}

/// Returns the most frequent forms; those with marks among the others count as their surfaces.
fn fitted<'a>(counts: &mut HashMap<Form<'a>, u64>, most: usize) -> Vec<Counted<'a>> {
    let kept = chosen(counts, most);
    if kept.len() == counts.len() {
        return kept;
    }
    let known: HashSet<Form<'_>> = kept.iter().map(|(_, _, form)| *form).collect();
    dissolve(counts, |form| !known.contains(form));
    chosen(counts, most)
}

/// Counts the forms with marks that meet a condition as their surfaces.
fn dissolve<'a>(counts: &mut HashMap<Form<'a>, u64>, rare: impl Fn(&Form<'a>) -> bool) {
    let found: Vec<_> = counts
        .extract_if(|form, _| form.1 != Marks::NONE && rare(form))
        .map(|((surface, _), count)| (surface, count))
        .collect();
    for (surface, count) in found {
        *counts.entry((surface, Marks::NONE)).or_default() += count;
    }
}

/// Returns the most frequent forms by falling count and rising token, each with its surface without marks.
fn chosen<'a>(counts: &HashMap<Form<'a>, u64>, most: usize) -> Vec<Counted<'a>> {
    let mut words: Vec<_> =
        counts.iter().map(|(&form, &count)| (Reverse(count), write(form.0, form.1), form)).collect();
    words.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    if words.len() <= most {
        return words;
    }
    let mut known: HashSet<Form<'_>> = HashSet::new();
    for &(_, _, form) in &words {
        let bare = (form.0, Marks::NONE);
        let added = usize::from(!known.contains(&form)) + usize::from(form != bare && !known.contains(&bare));
        if known.len() + added <= most {
            known.extend([form, bare]);
        }
    }
    words.retain(|(_, _, form)| known.contains(form));
    words
}
