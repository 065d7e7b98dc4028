"""The main action of each other view, by keyboard where a person would use it."""

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from rnnrs.data import read_picture

TEXT = "The dog sees a king."


def field_of(page, name="Text"):
    return page.get_by_role("textbox", name=name)


def test_translations_and_where_their_words_came_from(visit, served, look_at):
    page = visit("translator")
    field_of(page).fill(TEXT)
    page.keyboard.press("Control+Enter")
    found = served["translator"].write([TEXT], served["translator"].search(n_best=5))[0]
    expect(page.locator(".answer")).to_have_text(found[0].text)
    words = page.get_by_role("toolbar", name="Words").get_by_role("button")
    expect(words).to_have_text(list(found[0].words))
    words.first.focus()
    page.keyboard.press("ArrowRight")
    expect(words.nth(1)).to_be_focused()
    best = found[0].source[int(found[0].attention[1].argmax())]
    expect(page.locator(".note[role=status]")).to_have_text(re.compile(rf"^DOG ← {re.escape(best)} \d"))
    look_at(page, "translator")
    words.nth(2).hover()
    expect(page.locator(".note[role=status]")).to_contain_text("SEES ←")
    choices = page.get_by_role("radio")
    assert choices.count() == len(found)
    shares = [float(share.rstrip("%")) for share in page.locator(".choice .share").all_inner_texts()]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(100, abs=1)
    choices.nth(1).check()
    expect(page.locator(".answer")).to_have_text(found[1].text)


def test_written_summaries_mark_copied_words(visit, served, look_at):
    page = visit("summarizer")
    field_of(page).fill(TEXT)
    page.get_by_role("button", name="Summarize").click()
    expect(page.locator(".answer")).to_have_text(served["summarizer"].summarize(TEXT))
    copied = [word.removesuffix(" (copied)") for word in page.locator(".copied").all_text_contents()]
    written = served["summarizer"].write([TEXT], served["summarizer"].search(n_best=5))[0][0]
    assert copied == [word for word in written.words if word in written.source] != []
    look_at(page, "summarizer")


def test_chosen_sentences_are_marked_in_the_text(visit, served, look_at):
    page = visit("extractive")
    text = "It rains 😀. The cat sees a man. Who 🐈 sleeps? A dog barks. The end."
    field_of(page).fill(text)
    for unit, amount, limit in (
        ("sentences", "2", {"sentences": 2}),
        ("words", "6", {"words": 6}),
        ("% of the text", "40", {"share": 0.4}),
    ):
        page.get_by_label("Unit of the length").select_option(unit)
        page.get_by_label("Length", exact=True).fill(amount)
        with page.expect_response("**/summarize"):
            page.get_by_role("button", name="Summarize").click()
        expected = served["extractive"].summarize(text, **limit)
        expect(page.locator(".answer")).to_have_text(str(expected))
        expect(page.locator(".kept")).to_have_text([sentence.text for sentence in expected])
        expect(page.locator(".marked")).to_have_text(text)
    look_at(page, "extractive")


def test_chat(visit, served, look_at):
    page = visit("chatbot")
    look_at(page, "chat-empty")
    field_of(page, "Message").fill("hello")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("who are you")
    page.keyboard.press("Enter")
    log = page.get_by_role("log")
    expect(log.locator(".user")).to_contain_text("hello\nwho are you")
    page.get_by_role("button", name="New conversation").click()
    expect(log.locator(".bubble")).to_have_count(0)
    for message in ("hello", "bye"):
        field_of(page, "Message").fill(message)
        page.keyboard.press("Enter")
        expect(field_of(page, "Message")).to_have_value("")
        expect(page.get_by_role("button", name="Send")).not_to_have_attribute("aria-disabled", "true")
    first = served["chatbot"].reply(["hello"])
    second = served["chatbot"].reply(["hello", first.text, "bye"])
    expect(log.locator(".bot")).to_contain_text([first.text, second.text])
    expect(log.locator(".bot").first).to_contain_text("Confidence")
    served["chatbot"].threshold, before = 1.1, served["chatbot"].threshold
    try:
        field_of(page, "Message").fill("zebra")
        page.keyboard.press("Enter")
        expect(log.locator(".doubtful")).to_contain_text("The bot does not know an answer.")
    finally:
        served["chatbot"].threshold = before
    look_at(page, "chat")
    height = page.evaluate("document.documentElement.scrollHeight")
    for _ in range(6):
        field_of(page, "Message").fill("hello")
        page.keyboard.press("Enter")
        expect(field_of(page, "Message")).to_have_value("")
        expect(page.get_by_role("button", name="Send")).not_to_have_attribute("aria-disabled", "true")
    # The page does not grow with the conversation.
    assert page.evaluate("document.documentElement.scrollHeight") == height


def test_a_message_without_an_answer_comes_back(visit, look_at):
    page = visit("chatbot")
    page.expected.append("500")
    page.route(
        "**/v1/chat/completions", lambda route: route.fulfill(status=500, json={"detail": "it is broken"})
    )
    field_of(page, "Message").fill("hello")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="it is broken")).to_be_visible()
    expect(field_of(page, "Message")).to_have_value("hello")
    expect(page.locator(".bubble")).to_have_count(0)
    look_at(page, "problem")


def test_an_assistant_shows_the_row(visit, look_at):
    page = visit("assistant")
    row = page.locator("dl")
    for message in ("thai food", "north"):
        field_of(page, "Message").fill(message)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Send")).not_to_have_attribute("aria-disabled", "true")
    rows = {"name", "food", "area"}
    if row.count():
        assert set(row.last.locator("dt").all_inner_texts()) <= rows
    look_at(page, "assistant")


@pytest.fixture
def picture(tmp_path):
    """A red square on grey, wide, as a file."""
    pixels = np.full((40, 64, 3), 230, np.uint8)
    pixels[8:24, 8:24] = 220, 30, 30
    Image.fromarray(pixels).save(path := tmp_path / "scene.png")
    return path


def test_a_picture_with_regions(visit, picture, look_at):
    page = visit("pictures")
    look_at(page, "picture-empty")
    page.get_by_role("button", name="Describe").click()
    expect(page.get_by_role("alert").filter(has_text="Choose a picture")).to_be_visible()
    page.locator("input[type=file]").set_input_files(picture)
    expect(page.locator(".answer")).to_have_text(re.compile("."))
    words = page.get_by_role("toolbar", name="Words").get_by_role("button")
    canvas = page.get_by_role("img", name="The chosen picture")
    seen = [canvas.screenshot()]
    words.first.focus()
    seen.append(canvas.screenshot())
    look_at(page, "picture-words")
    region = page.locator("li button").first
    region.focus()
    seen.append(canvas.screenshot())
    assert len(set(seen)) == 3
    look_at(page, "picture-regions")


def test_a_picture_is_dropped(visit, picture, served):
    page = visit("captioner")
    box = page.locator(".drop").bounding_box()
    mouse = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + box["width"] - 9, "y": box["y"] + 9}
        data = {"items": [], "files": [str(picture)], "dragOperationsMask": 1}
        mouse.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
    model = served["captioner"]
    expect(page.locator(".answer")).to_have_text(model.describe(read_picture(picture, model.picture_size)))


def test_what_is_not_a_picture(visit, tmp_path):
    page = visit("captioner")
    (tmp_path / "no.png").write_text("no picture")
    page.locator("input[type=file]").set_input_files(tmp_path / "no.png")
    expect(page.get_by_role("alert").filter(has_text="no.png: the browser cannot read")).to_be_visible()


def test_classes(visit, served, look_at):
    page = visit("texts")
    field_of(page).fill("a red dog")
    page.keyboard.press("Control+Enter")
    p = served["texts"].predict_proba(["a red dog"])[0]
    order = [str(served["texts"].classes[i]) for i in (-p).argsort()]
    expect(page.locator(".bars li > span:first-child")).to_have_text(order)
    look_at(page, "classes")
    page = visit("classifier")
    field_of(page, "Numbers").fill("1, 2\n\n3; 4\n")
    page.get_by_role("button", name="Classify").click()
    best = served["classifier"].predict([np.array([[1.0, 2], [3, 4]])])[0]
    expect(page.locator(".view:visible .bars li > span:first-child").first).to_have_text(str(best))


def test_tags(visit, served, look_at):
    page = visit("tagged_texts")
    field_of(page).fill("the dog barks")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".tags .word")).to_have_text(["the", "dog", "barks"])
    expect(page.locator(".tags .tag")).to_have_text(
        list(served["tagged_texts"].predict(["the dog barks"])[0])
    )
    look_at(page, "tags")
    page = visit("tagger")
    field_of(page, "Numbers").fill("1 2\n3 4\n5 6")
    page.get_by_role("button", name="Tag").click()
    expect(page.locator(".tags .word")).to_have_text(["1 2", "3 4", "5 6"])
    page.get_by_role("button", name="Example").click()
    page.get_by_role("button", name="Tag").click()
    expect(page.locator(".tags .word")).to_have_count(60)


def test_forecasts(visit, served, look_at):
    page = visit("forecaster")
    field_of(page, "Numbers").fill("1\n2\nx3")
    page.get_by_role("button", name="Forecast").click()
    expect(page.get_by_role("alert").filter(has_text="Line 3: expected numbers, got “x3”.")).to_be_visible()
    page.get_by_role("button", name="Example").click()
    series = np.array([float(line) for line in field_of(page, "Numbers").input_value().split()])
    page.get_by_label("Steps").fill("3")
    page.get_by_role("button", name="Forecast").click()
    ahead = served["forecaster"].predict(series, 3)[:, 0]
    expect(page.locator("tbody td")).to_have_count(3)
    shown = [float(cell) for cell in page.locator("tbody td").all_inner_texts()]
    assert shown == pytest.approx(list(ahead), rel=1e-3)
    expect(page.locator("polyline")).to_have_count(2)
    look_at(page, "forecast")
