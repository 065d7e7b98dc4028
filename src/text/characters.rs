//! What the segmentation needs to know about single characters.

/// Returns whether a character is white space, as Python's `str.split` has it: Unicode's White_Space and the
/// four information separators.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Returns whether a character is only a format character (category Cf): a soft hyphen, a mark of direction.
/// Not so the zero width space, which separates words.
pub(super) fn is_format(c: char) -> bool {
    c >= '\u{ad}' && within(c, FORMAT)
}

/// Returns whether a character belongs in words: a letter, a digit, an underscore.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns whether a character is of a script without spaces: Chinese characters, Japanese syllables.
pub(super) fn is_ideograph(c: char) -> bool {
    c >= '\u{2e80}' && within(c, IDEOGRAPHS)
}

/// Returns whether a character is of a script with spaces between phrases, not words: Thai, Khmer.
pub(super) fn is_phrasal(c: char) -> bool {
    c >= '\u{e01}' && within(c, PHRASAL) && !c.is_numeric()
}

/// The prolonged sound marks of Japanese: part of a katakana word, else a syllable by themselves.
pub(super) fn is_prolonging(c: char) -> bool {
    matches!(c, 'ー' | 'ｰ')
}

/// Whether a symbol is expected to join what stands on its left, and on its right.
pub(super) fn expected_joins(symbol: char) -> (bool, bool) {
    match symbol {
        '"' | '\'' | '-' | '/' => (false, false), // the most frequent ones
        _ if within(symbol, CLOSING) => (true, false),
        _ if within(symbol, OPENING) => (false, true),
        _ if within(symbol, BETWEEN) => (true, true),
        _ => (false, false),
    }
}

fn within(c: char, ranges: &[(char, char)]) -> bool {
    let place = ranges.partition_point(|&(first, _)| first <= c);
    place > 0 && c <= ranges[place - 1].1
}

/// General category Cf, without U+200B.
const FORMAT: &[(char, char)] = &[
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200c}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{2064}'),
    ('\u{2066}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0001}', '\u{e0001}'),
    ('\u{e0020}', '\u{e007f}'),
];

/// Han, Hiragana, Yi, Tangut, Khitan, Nüshu.
const IDEOGRAPHS: &[(char, char)] = &[
    ('\u{2e80}', '\u{2fdf}'),
    ('\u{3005}', '\u{3007}'),
    ('\u{3021}', '\u{3029}'),
    ('\u{3031}', '\u{3035}'),
    ('\u{3038}', '\u{303c}'),
    ('\u{3041}', '\u{309f}'),
    ('\u{3400}', '\u{4dbf}'),
    ('\u{4e00}', '\u{9fff}'),
    ('\u{a000}', '\u{a48c}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{16fe0}', '\u{18dff}'),
    ('\u{1b001}', '\u{1b11f}'),
    ('\u{1b132}', '\u{1b132}'),
    ('\u{1b150}', '\u{1b152}'),
    ('\u{1b170}', '\u{1b2fb}'),
    ('\u{1f200}', '\u{1f200}'),
    ('\u{20000}', '\u{323af}'),
];

/// Thai, Lao, Myanmar, Khmer, Tai Le, New Tai Lue, Tai Tham, Myanmar's extensions, Tai Viet, Ahom.
const PHRASAL: &[(char, char)] = &[
    ('\u{e01}', '\u{e3a}'),
    ('\u{e40}', '\u{e5b}'),
    ('\u{e81}', '\u{edf}'),
    ('\u{1000}', '\u{109f}'),
    ('\u{1780}', '\u{17da}'),
    ('\u{17dc}', '\u{17dd}'),
    ('\u{1950}', '\u{19df}'),
    ('\u{1a20}', '\u{1aad}'),
    ('\u{a9e0}', '\u{a9fe}'),
    ('\u{aa60}', '\u{aadf}'),
    ('\u{116d0}', '\u{116e3}'),
    ('\u{11700}', '\u{1174f}'),
];

/// Symbols that join what stands before them: commas, full stops, closing brackets and quotation marks.
const CLOSING: &[(char, char)] = &[
    ('!', '!'),
    ('%', '%'),
    (')', ')'),
    (',', ','),
    ('.', '.'),
    (':', ';'),
    ('?', '?'),
    (']', ']'),
    ('}', '}'),
    ('»', '»'),
    ('\u{55c}', '\u{55e}'), // Armenian
    ('\u{589}', '\u{589}'),
    ('\u{60c}', '\u{60c}'), // Arabic
    ('\u{61b}', '\u{61b}'),
    ('\u{61e}', '\u{61f}'),
    ('\u{66a}', '\u{66a}'),
    ('\u{6d4}', '\u{6d4}'),
    ('\u{964}', '\u{965}'),   // Devanagari and its relatives
    ('\u{f0d}', '\u{f12}'),   // Tibetan
    ('\u{1361}', '\u{1368}'), // Ethiopic
    ('’', '’'),
    ('”', '”'),
    ('…', '…'),
    ('‰', '‱'),
    ('›', '›'),
    ('‼', '‼'),
    ('⁇', '⁉'),
];

/// Symbols that join what stands after them.
const OPENING: &[(char, char)] = &[
    ('$', '$'),
    ('(', '('),
    ('[', '['),
    ('{', '{'),
    ('¡', '¡'),
    ('£', '£'),
    ('¥', '¥'),
    ('«', '«'),
    ('¿', '¿'),
    ('‘', '‘'),
    ('‚', '‚'),
    ('“', '“'),
    ('„', '„'),
    ('‹', '‹'),
    ('€', '€'),
    ('₹', '₹'),
];

/// Symbols that join both sides: the Tibetan tsheg, the zero width space, the punctuation of scripts without
/// spaces.
const BETWEEN: &[(char, char)] = &[
    ('\u{f0b}', '\u{f0c}'),
    ('\u{200b}', '\u{200b}'),
    ('\u{3001}', '\u{3004}'),
    ('\u{3008}', '\u{3020}'),
    ('\u{3030}', '\u{3030}'),
    ('\u{3036}', '\u{3037}'),
    ('\u{303d}', '\u{303f}'),
    ('・', '・'),
    ('\u{3200}', '\u{33ff}'),
    ('\u{fe30}', '\u{fe6b}'),
    ('\u{ff01}', '\u{ff0f}'),
    ('\u{ff1a}', '\u{ff20}'),
    ('\u{ff3b}', '\u{ff40}'),
    ('\u{ff5b}', '\u{ff65}'),
    ('\u{ffe0}', '\u{ffe6}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_in_order() {
        for ranges in [FORMAT, IDEOGRAPHS, PHRASAL, CLOSING, OPENING, BETWEEN] {
            assert!(ranges.iter().all(|(first, last)| first <= last));
            assert!(ranges.is_sorted_by(|a, b| a.1 < b.0));
        }
    }

    #[test]
    fn white_space_is_that_of_python() {
        let spaces: String = ('\0'..=char::MAX).filter(|&c| is_space(c)).collect();
        let python = "\t\n\u{b}\u{c}\r\u{1c}\u{1d}\u{1e}\u{1f} \u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\
            \u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\
            \u{3000}";
        assert_eq!(spaces, python);
    }
}
