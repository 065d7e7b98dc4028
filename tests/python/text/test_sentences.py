"""Sentences: spans of the text, in any script, with abbreviations, quotations and line breaks."""

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnrs.text import find_sentences


def sentences(text):
    return [text[begin:end] for begin, end in find_sentences(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["Mr. Fox paid $3.50.", '"Too much!" he said.', "He left."],
        ["J. R. Smith went to the U.S. Treasury.", "He came back at 5 p.m.", "The end."],
        ["U.S. President Bush left the U.S.", "He was, e.g., in the U.K. (London) for 3 days."],
        ["No. 5 is alive.", "No.", "It is 10.5 or 1.000.", "10 came in 2005.", "Then 3."],
        ['"Is it?"', '"It is."', "(Really.)", "''Yes.''", "[So it is.]"],
        ["Wow!!!", "Great?!", "Yes... maybe.", "And… so on."],
        ["See rnnrs.models.Captioner or www.example.Org now.", "Then go."],
        ["1. First do this.", "2. Then do that."],
        ["Das ist z. B. am 3. Oktober 1990 so.", "Danach, d. h. später, ging er.", "Prof. Dr. Weiß auch."],
        ["Это т. е. дом.", "Он жил на ул. Ленина в 2005 г. в Москве.", "Да!"],
        ["¿Qué hora es?", "¡Las dos!", "El Sr. García vino."],
        ["M. Dupont est là.", "« Oui. »", "Il part."],
    ],
)
def test_sentences_between_spaces(expected):
    assert sentences(" ".join(expected)) == expected
    assert sentences("\n " + "  \n".join(expected) + "\n") == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["你好。", "再见！", "是吗？", "「行こう。」", "そうか！"],
        ["वह गया।", "वह आया॥"],
        ["هل أنت بخير؟", "نعم۔"],
        ["Ես գնացի։", "Նա եկավ։"],
    ],
)
def test_scripts_with_other_terminators(expected):
    assert sentences("".join(expected)) == expected
    assert sentences(" ".join(expected)) == expected


def test_a_quotation_goes_on_before_a_lower_case_letter():
    assert sentences("「行こう。」と彼は言った。") == ["「行こう。」", "と彼は言った。"]
    assert sentences('"No!" he said. "Why?" she asked.') == ['"No!" he said.', '"Why?" she asked.']


@pytest.mark.parametrize(
    "expected",
    [
        [
            "hi all.",
            "my phone (dr. who's) wont start... i tried e.g. F2, etc. and gave up!",
            "what now?",
            "thx.",
        ],
        ["привет всем.", "телефон не работает!", "что делать?"],
        ["Help me", "i did nothing.", "it broke.", "see pic."],
    ],
)
def test_posts_without_capitals(expected):
    assert sentences("\n\n".join(expected)) == expected
    assert sentences(" ".join(expected[1:])) == expected[1:]


def test_lines_of_a_post_without_capitals():
    lines = ["the camera is not the best i ever had", "i bought this phone last week and it is great so far"]
    assert sentences("\n".join(lines)) == lines


def test_a_lower_case_letter_begins_no_sentence_elsewhere():
    for text in (
        "Buy milk, eggs etc. and so on.",
        "Really? he asked.",
        "Das ist usw. und so fort.",
        "ok etc. and",
    ):
        assert sentences(text) == [text]


@pytest.mark.parametrize(
    "expected",
    [
        ["Er sagte: „Ich komme.“", "Dann ging er.", "»Ja!« rief er.", "‚Gut.‘", "Ende."],
        ["Τι είναι;", "Καλά.", "Ναι!"],
    ],
)
def test_quotations_and_questions_of_other_languages(expected):
    assert sentences(" ".join(expected)) == expected
    assert sentences("他走了。“你好。”她说。") == ["他走了。", "“你好。”", "她说。"]


def test_headings_tables_and_code_are_lines():
    lines = [
        "# A heading that is as long as any other line here",
        "Some text.",
        "| a row of a table | that is as long as others |",
        "+ an item in another style, which is rather long.",
        "(b) an item with brackets, which is rather long..",
        "[1] a reference in brackets, which is rather long",
        "```",
        "let_us_see = it_is_code_and(the, longest_line + 1)",
        "```",
    ]
    assert sentences("\n".join(lines)) == lines


def test_short_words_at_the_beginning_of_a_line_are_no_items():
    plain = [
        "Long ago I looked for this thing but I could not find it.",
        "Then Mr. Smith (far away, in the US) saw it.",
    ]
    for width in range(48, 70):
        found = sentences(textwrap.fill(" ".join(plain), width))
        assert [" ".join(sentence.split()) for sentence in found] == plain


def test_sentences_of_quoted_letters_go_on_in_the_next_line():
    text = (
        "On Monday, Bob wrote:\n"
        "> > Is it any better than the one before? I have my\n"
        "> > doubts.\n"
        "> I think that it is much better. It starts\n"
        "> Firefox without a crash and uses the new theme.\n"
        ">\n"
        "> Bye.\n"
        "I agree.\n"
    )
    assert sentences(text) == [
        "On Monday, Bob wrote:",
        "> > Is it any better than the one before?",
        "I have my\n> > doubts.",
        "> I think that it is much better.",
        "It starts\n> Firefox without a crash and uses the new theme.",
        ">",
        "> Bye.",
        "I agree.",
    ]


def test_paragraphs_lists_and_headings_end_a_sentence_and_wrapped_lines_do_not():
    text = (
        "A heading\n"
        "This is a paragraph that has been wrapped at about\r\n"
        "forty characters or so. Its second sentence was\n"
        "Wrapped before a capital letter.\n"
        "\n"
        "No end here\n \t\n"
        "- item one\n- item two\n3) item three\n"
    )
    assert sentences(text) == [
        "A heading",
        "This is a paragraph that has been wrapped at about\r\nforty characters or so.",
        "Its second sentence was\nWrapped before a capital letter.",
        "No end here",
        "- item one",
        "- item two",
        "3) item three",
    ]


@given(st.text(alphabet="aB1 .!?\"\n\r\t)(-。」…Mré'", max_size=60) | st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_nothing_of_a_text_is_lost(text):
    place = 0
    for begin, end in find_sentences(text):
        assert begin < end and not text[place:begin].strip()
        assert text[begin:end] == text[begin:end].strip()
        place = end
    assert not text[place:].strip()


def test_long_texts_without_sentences_take_linear_time():
    for piece in (
        " ",
        "a",
        "1. ",
        "Mr. ",
        "!",
        "\n",
        '"',
        ".",
        "-",
        "'",
        "!- ",
        "\n \n",
        "> ",
        "\n>",
        "a. ",
        "ab! ",
        "α;",
    ):
        assert len(find_sentences(piece * 30_000)) <= 30_000


def test_only_a_string_has_sentences():
    assert find_sentences("") == find_sentences(" \n\n ") == []
    with pytest.raises(TypeError, match="find_sentences: text: expected a string"):
        find_sentences(b"a.")
