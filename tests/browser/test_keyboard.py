"""Typing with suggestions, by real key events."""

import re

import pytest
import running_server
from playwright.sync_api import expect

GREY = ".grey"


def suggested(page):
    return page.get_by_role("toolbar", name="Suggestions").get_by_role("button")


def words_of(page):
    return page.locator(".suggestions .word").all_inner_texts()


def expect_words(page, model, text, k=3, words=1):
    """Expects the suggestions that the model itself has for a text."""
    found = model.suggest(text, k, words=words)
    expect(page.locator(".suggestions .word")).to_have_text([one.word for one in found])
    expected = pytest.approx([100 * one.probability for one in found], rel=0.05)

    def shares():
        return [float(share.rstrip("%")) for share in page.locator(".suggestions .share").all_inner_texts()]

    running_server.wait(lambda: shares() == expected)


@pytest.fixture
def typing(visit):
    page = visit("words")
    field = page.get_by_role("textbox", name="Text")
    field.click()
    return page, field


@pytest.mark.parametrize("name", ["words", "characters"])
def test_each_key_brings_the_suggestions_of_the_model(visit, served, name):
    page = visit(name)
    page.get_by_role("textbox", name="Text").click()
    text = ""
    for piece in ("The", " ", "d", "og ", "se"):
        page.keyboard.type(piece)
        text += piece
        expect_words(page, served[name], text)
    page.keyboard.press("Backspace")
    expect_words(page, served[name], text[:-1])


def test_the_likeliest_word_is_grey_and_tab_accepts_it(typing, served, look_at):
    page, field = typing
    page.keyboard.type("The d")
    expect(page.locator(GREY)).to_have_text("og")
    look_at(page, "keyboard")
    page.keyboard.press("Tab")
    expect(field).to_have_value("The dog ")
    expect(field).to_be_focused()
    expect(page.locator(GREY)).to_have_text("sees")
    page.keyboard.press("ArrowRight")
    expect(field).to_have_value("The dog sees ")
    page.keyboard.type("a ")
    first, second, _ = (one.word for one in served["words"].suggest("The dog sees a "))
    expect(page.locator(GREY)).to_have_text(first)
    page.keyboard.press("ArrowDown")
    expect(page.locator(GREY)).to_have_text(second)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type(".")
    expect(field).to_have_value(f"The dog sees a {second}.")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert field.input_value().startswith("The dog sees a")  # what was accepted can be undone


def test_a_tapped_word_is_accepted_and_the_field_keeps_the_focus(typing):
    page, field = typing
    page.keyboard.type("The")
    page.keyboard.type(" c")
    suggested(page).first.click()
    expect(field).to_have_value("The cat ")
    expect(field).to_be_focused()


def test_the_row_is_reached_and_left_by_keys(typing, served):
    page, field = typing
    page.keyboard.type("The dog sees a ")
    expect_words(page, served["words"], "The dog sees a ")
    second = words_of(page)[1]
    page.keyboard.press("Shift+Tab")
    expect(suggested(page).first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(suggested(page).nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(field).to_have_value(f"The dog sees a {second} ")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(GREY)).to_have_text("")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Go on writing")).to_be_focused()


def test_the_middle_of_a_text(typing, served, look_at):
    page, field = typing
    page.keyboard.type("The 😀 d\nsees a man.")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    expect_words(page, served["words"], "The 😀 d")
    expect(page.locator(GREY)).to_have_class("grey")  # nothing follows in this line
    page.keyboard.press("Tab")
    expect(field).to_have_value("The 😀 dog\nsees a man.")
    page.keyboard.press("Home")
    page.keyboard.type("The c")
    expect_words(page, served["words"], "The c")
    expect(page.locator(GREY)).to_have_class("grey below")
    expect(page.locator(GREY)).to_have_text("cat")
    page.keyboard.press("ArrowRight")  # goes on, since the grey word is not in its way
    page.keyboard.press("ArrowLeft")
    look_at(page, "keyboard-middle")
    page.keyboard.press("Tab")
    expect(field).to_have_value("The cat The 😀 dog\nsees a man.")
    page.keyboard.press("Control+a")
    page.keyboard.type("The dog s")
    expect_words(page, served["words"], "The dog s")


def test_a_jump_that_scrolls_brings_the_suggestions_of_its_place(typing, served):
    page, field = typing
    page.keyboard.insert_text("The dog sees a man.\n" * 30)
    page.keyboard.type("The d")
    expect_words(page, served["words"], field.input_value())
    page.keyboard.press("Control+Home")
    expect_words(page, served["words"], "")
    page.keyboard.press("Control+End")
    expect_words(page, served["words"], field.input_value())


def test_several_words_and_probabilities(typing, served):
    page, _ = typing
    page.set_viewport_size({"width": 360, "height": 800})
    page.keyboard.type("The cat ")
    page.get_by_role("combobox", name="Suggest").select_option("3 words")
    expect_words(page, served["words"], "The cat ", words=3)
    cut = "words => words.filter(word => word.scrollWidth > word.clientWidth).length"
    assert page.locator(".suggestions .word").evaluate_all(cut) == 0


def test_an_input_method_is_not_disturbed(typing, served):
    page, field = typing
    page.keyboard.type("The ")
    expect(page.locator(GREY)).not_to_have_text("")
    method = page.context.new_cdp_session(page)
    for begun in ("d", "do"):
        places = {"selectionStart": len(begun), "selectionEnd": len(begun)}
        method.send("Input.imeSetComposition", {"text": begun, **places})
        expect_words(page, served["words"], f"The {begun}")
        expect(field).to_have_value(f"The {begun}")
        expect(page.locator(GREY)).to_have_text("")
    method.send("Input.insertText", {"text": "dog"})
    expect(field).to_have_value("The dog")
    page.keyboard.type(" ")
    expect(page.locator(GREY)).to_have_text("sees")


def test_a_word_in_composition_is_replaced_by_a_tapped_one(typing):
    page, field = typing
    page.keyboard.type("The ")
    method = page.context.new_cdp_session(page)
    method.send("Input.imeSetComposition", {"text": "d", "selectionStart": 1, "selectionEnd": 1})
    expect(page.locator(".suggestions .word")).to_have_text(["dog"])
    suggested(page).first.click()
    expect(field).to_have_value("The dog ")


def test_without_a_websocket_each_request_carries_the_text(tab, visit, served):
    tab.route_web_socket(re.compile("/suggest"), lambda socket: socket.close())
    page = visit("words")
    page.get_by_role("textbox", name="Text").click()
    with page.expect_response("**/suggest") as response:
        page.keyboard.type("The d")
    assert response.value.request.method == "POST"
    expect_words(page, served["words"], "The d")


def test_a_lost_connection_is_opened_again(tab, visit, served):
    sockets = []

    def passed_on(socket):
        sockets.append(socket)
        socket.connect_to_server()

    tab.route_web_socket(re.compile("/suggest"), passed_on)
    page = visit("words")
    page.get_by_role("textbox", name="Text").click()
    page.keyboard.type("The d")
    expect_words(page, served["words"], "The d")
    sockets[0].close()
    page.keyboard.type("og ")
    expect_words(page, served["words"], "The dog ")
    assert len(sockets) == 2


def test_after_an_outage_the_connection_is_opened_again(tab, visit, served):
    outage, opened = [True], []

    def socket(one):
        opened.append(one)
        one.close() if outage else one.connect_to_server()

    tab.route_web_socket(re.compile("/suggest"), socket)
    tab.route("**/suggest", lambda route: route.abort() if outage else route.continue_())
    page = visit("words")
    page.expected.append("ERR_FAILED")
    page.get_by_role("textbox", name="Text").click()
    expect(page.get_by_role("alert").filter(has_text="The server cannot be reached.")).to_be_visible()
    outage.clear()
    before = len(opened)
    page.keyboard.type("The d")
    expect_words(page, served["words"], "The d")
    expect(page.get_by_role("alert").filter(has_text=re.compile("."))).to_have_count(0)
    assert len(opened) == before + 1


def test_going_on_and_stopping(typing):
    page, field = typing
    page.keyboard.type("The dog ")
    page.get_by_role("button", name="Go on writing").click()
    expect(field).to_be_editable()
    written = field.input_value()
    assert written.startswith("The dog ") and len(written) > 40

    def slowly(route):
        pass  # the answer never comes

    page.route("**/v1/completions", slowly)
    page.get_by_role("button", name="Go on writing").click()
    expect(field).not_to_be_editable()
    page.get_by_role("button", name="Stop").click()
    expect(field).to_be_editable()
    expect(page.get_by_role("alert").filter(has_text=re.compile("."))).to_have_count(0)
    expect(field).to_have_value(written)


@pytest.mark.parametrize("name", ["words", "characters"])
def test_how_likely_a_text_is(visit, name, look_at):
    page = visit(name)
    text = "The dog sees a man. king zqxv The sees a."
    page.get_by_role("textbox", name="Text").fill(text)
    page.get_by_role("button", name="How likely is it?").click()
    expect(page.locator(".marked")).to_have_text(text)
    marked = page.locator("mark").all_inner_texts()
    assert {"king", "zqxv"} <= set(" ".join(marked).split()) and "dog" not in marked
    expect(page.locator("li", has_text="zqxv: 1 in")).to_be_visible()  # no word of the model's
    assert re.search(r"ln P [=≥] -\d.*perplexity [≤\d]", page.locator(".note[role=status]").inner_text())
    look_at(page, f"score-{name}")
