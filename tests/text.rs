//! Texts as words and symbols: where they are cut, and that they can be written back.

use proptest::prelude::*;

use rnnrs::text::build::{build, tokens};
use rnnrs::text::counts::Counts;
use rnnrs::text::form::{Form, Mark};
use rnnrs::text::form::{Joiner, Marks, parse, write};
use rnnrs::text::segment::{Kind, kind_of, last_word, segments};
use rnnrs::text::vocabulary::{MARKS, SPECIAL, Words};

/// Returns a text with each run of white space as one space, as Python's `" ".join(text.split())` does.
fn squeezed(text: &str) -> String {
    let space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    text.split(space).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn surfaces(text: &str) -> Vec<&str> {
    segments(text).map(|segment| segment.surface).collect()
}

fn joined(pieces: &[String]) -> String {
    let (mut text, mut line) = (String::new(), Joiner::default());
    pieces.iter().for_each(|piece| line.push(piece, &mut text));
    text
}

/// Returns the pieces of a text in its own vocabulary.
fn pieces(text: &str) -> Vec<String> {
    Words::new(&build(text, 1, None)).unwrap().pieces(text)
}

/// Characters with a part in segmentation, beside all others.
fn any_text() -> impl Strategy<Value = String> {
    let picked = prop::sample::select(
        "ab1_'’-. ,\"()«» \n\t\u{1c}\u{85}\u{a0}\u{2028}\u{ad}\u{200b}\u{200c}\u{200d}\u{200e}\u{301}\u{fe0f}\
        \u{20e3}👩👧🏽🇫🇷❤你好世，。（ーカのกำที่हिन्दी\u{94d}العربيةשלוםㄱ한각￭␣\u{600}\u{feff}\u{d4e}\0"
            .chars()
            .collect::<Vec<_>>(),
    );
    prop::collection::vec(prop_oneof![4 => picked, 1 => any::<char>()], 0..40)
        .prop_map(|characters| characters.into_iter().collect())
}

proptest! {
    #[test]
    fn every_text_is_written_back(text in any_text()) {
        let words = Words::new(&build(&format!("a {text} a"), 1, None)).unwrap();
        let ids = words.encode(&text);
        prop_assert!(!ids.contains(&1));
        prop_assert_eq!(squeezed(&words.decode(&ids).unwrap()), squeezed(&text));
        let found = words.pieces(&text);
        prop_assert_eq!(ids.len(), found.len());
        prop_assert_eq!(joined(&found), words.decode(&ids).unwrap());
    }

    #[test]
    fn parts_of_a_text_have_its_vocabulary(lines in prop::collection::vec(any_text(), 1..6), least in 1_u64..4, most in 5_usize..30) {
        let whole = lines.join("\n");
        let mut counts = Counts::default();
        lines.iter().for_each(|line| counts.merge(&Counts::of(line)));
        prop_assert_eq!(tokens(&counts, least, None), build(&whole, least, None));
        prop_assert_eq!(tokens(&counts, least, Some(most)), build(&whole, least, Some(most)));
    }

    #[test]
    fn texts_are_written_back_with_the_marks_of_rare_forms_apart(text in any_text(), more in any_text(), least in 1_u64..4, most in 5_usize..30) {
        let whole = format!("{text}\n{more}\n{more} {text}");
        for tokens in [build(&whole, least, None), build(&whole, least, Some(most))] {
            let words = Words::new(&tokens).unwrap();
            let ids = words.encode(&text);
            prop_assert_eq!(ids.len(), words.pieces(&text).len());
            prop_assert_eq!(squeezed(&joined(&words.pieces(&text))), squeezed(&text));
            if !ids.contains(&1) {
                prop_assert_eq!(squeezed(&words.decode(&ids).unwrap()), squeezed(&text));
            }
            for (id, piece) in ids.iter().zip(words.pieces(&text)) {
                prop_assert_eq!(*id == 1, !tokens.contains(&piece));
            }
        }
    }

    #[test]
    fn segments_cover_a_text_without_its_white_space(text in any_text()) {
        let space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
        prop_assert_eq!(surfaces(&text).concat(), text.chars().filter(|&c| !space(c)).collect::<String>());
        for segment in segments(&text) {
            prop_assert_eq!(kind_of(segment.surface), segment.kind);
            prop_assert_eq!(surfaces(segment.surface), [segment.surface]);
        }
        prop_assert!(text.ends_with(last_word(&text)));
    }

    #[test]
    fn forms_are_parsed_as_they_were_written(surface in "[a￭␣.你]{1,3}", left in 0..3, right in 0..3) {
        let mark = |n| [Mark::None, Mark::Join, Mark::Space][n as usize];
        let token = write(&surface, Marks { left: mark(left), right: mark(right) });
        match parse(&token) {
            Form::Word(found, marks) => prop_assert_eq!((found, write(found, marks)), (surface.as_str(), token.clone())),
            Form::Mark(_) => prop_assert!(false, "{}", token),
        }
    }
}

#[test]
fn a_text_is_cut_by_clusters() {
    for (text, expected) in [
        ("don't 'tis well-known a- -b", vec!["don't", "'", "tis", "well-known", "a", "-", "-", "b"]),
        ("你好，世界。", vec!["你", "好", "，", "世", "界", "。"]),
        ("👨‍👩‍👧‍👦👍🏽🇫🇷🇩🇪1️⃣", vec!["👨‍👩‍👧‍👦", "👍🏽", "🇫🇷", "🇩🇪", "1️⃣"]),
        ("हिन्दी में", vec!["हिन्दी", "में"]),
        ("ที่นี่ดี", vec!["ที่", "นี่", "ดี"]),
        ("カタカナとらーめん", vec!["カタカナ", "と", "ら", "ー", "め", "ん"]),
        ("データ", vec!["データ"]),
        ("한국어 텍스트", vec!["한국어", "텍스트"]),
        ("می\u{200c}خواهم", vec!["می\u{200c}خواهم"]),
        (
            "co\u{ad}op\u{ad} \u{200f}שלום\u{200f}! (\u{200f}ב",
            vec!["co\u{ad}op\u{ad}", "\u{200f}שלום\u{200f}", "!", "(", "\u{200f}ב"],
        ),
        ("well-\u{ad}known", vec!["well-\u{ad}known"]),
        ("!\u{200f}? \u{200f}", vec!["!\u{200f}", "?", "\u{200f}"]),
        ("\u{301}a e\u{301}x", vec!["\u{301}", "a", "e\u{301}x"]),
        ("a'\u{301}b", vec!["a", "'\u{301}", "b"]),
        ("ℹ\u{fe0f}a", vec!["ℹ\u{fe0f}", "a"]),
        ("ក\u{200b}ខ", vec!["ក", "\u{200b}", "ខ"]),
        ("2023年3月", vec!["2023", "年", "3", "月"]),
    ] {
        assert_eq!(surfaces(text), expected, "{text}");
    }
    assert_eq!(
        [kind_of("a"), kind_of("ก"), kind_of("好"), kind_of("!")],
        [Kind::Word, Kind::Phrasal, Kind::Ideograph, Kind::Symbol]
    );
}

#[test]
fn marks_say_only_what_is_not_expected() {
    for (text, expected) in [
        ("你好，世界。“是”，在2023年：（对）。", "你 好 ， 世 界 。 “ 是 ” ， 在 2023 年 ： （ 对 ） 。"),
        ("Yes, (I) know: 20%; end.", "Yes , ( I ) know : 20 % ; end ."),
        ("\"Go,\" she said. \"No!\"", "\"￭ Go , ￭\" she said . \"￭ No ! ￭\""),
        ("3.14 10:30", "3 .￭ 14 10 :￭ 30"),
        ("l'eau !", "l'eau ␣!"),
        ("U.S.A. C++", "U .￭ S .￭ A . C ￭+ ￭+"),
        ("me@x.org/a", "me ￭@￭ x .￭ org ￭/￭ a"),
        ("在 Linux 系统 好 吧", "在␣ Linux ␣系 统 ␣好 ␣吧"),
        ("ปี 2540 ดี", "ปี 2540 ␣ดี"),
        ("ปี2540", "ปี￭ 2540"),
        ("い、パソコンを", "い 、 パソコン を"),
        ("￭ ␣a a￭a", "￭￭￭ ␣␣￭ a a ￭￭￭ a"),
        ("a . b", "a ␣. b"),
    ] {
        assert_eq!(pieces(text).join(" "), expected, "{text}");
    }
}

#[test]
fn marks_of_rare_forms_are_tokens() {
    let tokens = build("a. a. a. b . c", 2, None);
    assert_eq!(tokens, [&SPECIAL[..], &MARKS, &[".", "a"]].concat());
    let words = Words::new(&tokens).unwrap();
    assert_eq!(words.encode("a . a.a b"), [5, 3, 4, 5, 4, 2, 5, 1]);
    assert_eq!(words.decode(&[5, 3, 4, 5, 4, 2, 5, 1]).unwrap(), "a . a.a <unk>");
    assert_eq!(words.pieces("a ␣ a"), ["a", "␣", "￭␣￭", "␣", "a"]);
    assert_eq!(build("a+b c+d + + + x x x", 1, Some(6))[4..], ["+", "x"]);
    assert_eq!(build("a+b c+d x x x", 1, None)[4..], ["x", "￭+￭", "a", "b", "c", "d", "+"]);
    assert_eq!(build("a+b c+d x x x", 1, Some(6))[4..], ["x", "+"]);
    assert_eq!(build("a+b c+d x x x", 1, Some(3))[2..], ["x"]);
    assert!(words.decode(&[6]).is_err() && words.decode(&[-1]).is_err());
}

#[test]
fn words_alone_need_no_marks() {
    let tokens = build("so it is so, it", 2, None);
    assert_eq!(tokens, ["<eos>", "<unk>", "it", "so"]);
    let words = Words::new(&tokens).unwrap();
    assert_eq!(words.encode("it+so ."), [2, 1, 3, 1]);
    assert_eq!(words.pieces("it+so ."), ["it", "￭+￭", "so", "␣."]);
}

#[test]
fn vocabularies_begin_with_the_special_tokens() {
    for tokens in [
        &["a"][..],
        &["<unk>", "<eos>", "a"],
        &["<eos>", "<unk>", "￭", "␣", "a", "a"],
        &["<eos>", "<unk>", "￭", "␣", "￭"],
        &["<eos>", "<unk>", "￭", "␣", "<eos>"],
    ] {
        assert!(Words::new(tokens).is_err(), "{tokens:?}");
    }
}

#[test]
fn the_last_word_of_a_text_may_be_unfinished() {
    for (text, word) in [
        ("Hello wor", "wor"),
        ("don'", "don'"),
        ("don't", "don't"),
        ("well-", "well-"),
        ("a ", ""),
        ("a.", ""),
        ("a--", ""),
        ("", ""),
        ("x\u{a0}हिन", "हिन"),
        ("你", ""),
        ("3.1", "1"),
    ] {
        assert_eq!(last_word(text), word, "{text:?}");
    }
}
