"""What all views share: the list of models, languages, keys, problems, tokens, models that are still in training."""

import re

import served_models
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from rnnrs.serve import create_app
from rnnrs.serve.hosting import Host
from rnnrs.serve.server import Settings


def test_the_address_keeps_the_model_and_views_keep_their_texts(visit, served):
    page = visit("translator")
    links = page.get_by_role("navigation", name="Models").get_by_role("link")
    assert links.count() == len(served)
    page.get_by_role("textbox").fill("The dog")
    links.filter(has_text="chatbot").click()
    expect(page).to_have_url(re.compile("#chatbot$"))
    expect(page).to_have_title("chatbot · rnnrs")
    expect(page.locator("[aria-current=page]")).to_contain_text("chatbot")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("translator")
    expect(page.get_by_role("textbox")).to_have_value("The dog")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("translator")


class Proxy:
    """Shows a server below a path, which it takes off, as nginx does."""

    def __init__(self, app, path):
        self.app, self.path, self.state = app, path, app.state

    async def __call__(self, scope, receive, send):
        if "path" in scope:
            scope = {**scope, "path": scope["path"].removeprefix(self.path)}
        await self.app(scope, receive, send)


def test_below_a_path_of_a_proxy(tab, serving):
    app = Proxy(create_app(served_models.models("words", "texts")), "/some/path")
    with serving(app, Settings(root_path="/some/path")) as address:
        sockets = []
        tab.on("websocket", lambda socket: sockets.append(socket.url))
        tab.goto(f"{address}some/path/#words")
        tab.get_by_role("textbox").click()
        tab.keyboard.type("The ")
        expect(tab.locator(".suggestions button")).to_have_count(3)
        assert [url.split("?")[0] for url in sockets] == [f"ws{address[4:]}some/path/suggest"]
        tab.goto(f"{address}some/path/#texts")
        tab.get_by_role("textbox").fill("a red dog")
        tab.get_by_role("button", name="Classify").click()
        expect(tab.locator(".bars li")).to_have_count(2)


def test_german(visit, look_at):
    page = visit("chatbot")
    page.get_by_role("textbox").fill("hello")
    page.get_by_label("Language").select_option("Deutsch")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_role("button", name="Senden")).to_be_visible()
    expect(page.get_by_role("textbox", name="Nachricht")).to_have_value("hello")
    look_at(page, "german")


def test_the_browser_chooses_the_language(chromium, address):
    context = chromium.new_context(locale="de-AT")
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_role("button", name="Weiterschreiben")).to_be_visible()
    context.close()


def test_the_list_is_skipped_by_a_key(visit):
    page = visit("translator")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the model")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("textbox")).to_be_focused()
    expect(page).to_have_url(re.compile("#translator$"))


def test_problems_are_shown_where_they_arise(visit):
    page = visit("forecaster")
    page.expected.append("400")
    page.get_by_role("textbox").fill("1 2 3\n4 5 6")
    page.get_by_role("button", name="Forecast").click()
    alert = page.get_by_role("alert").filter(has_text=re.compile("series: expected .*, got"))
    expect(alert).to_be_visible()
    page.get_by_role("button", name="Example").click()
    page.get_by_role("button", name="Forecast").click()
    expect(page.locator("svg")).to_be_visible()
    expect(alert).to_have_count(0)


def test_a_server_that_ends(tab, serving):
    tab.expected += ["ERR_CONNECTION_REFUSED", "WebSocket"]
    with serving(create_app(served_models.models("words", "translator")), stays=True) as address:
        tab.goto(f"{address}#translator")
        tab.get_by_role("textbox").fill("The dog")
    tab.get_by_role("button", name="Translate").click()
    expect(tab.get_by_role("alert").filter(has_text="The server cannot be reached.")).to_be_visible()


def test_a_token_is_asked_for_once(tab, serving):
    app = create_app(served_models.models("words", "texts"), tokens=["secret-of-the-server"])
    tab.expected.append("401")
    given = iter(["wrong", "secret-of-the-server"])
    asked = []

    def answer(dialog):
        asked.append(dialog.message)
        dialog.accept(next(given))

    tab.on("dialog", answer)
    with serving(app) as address:
        tab.goto(address)
        tab.get_by_role("textbox").click()
        tab.keyboard.type("The ")
        expect(tab.locator(".suggestions button")).to_have_count(3)
        tab.reload()
        tab.get_by_role("textbox").click()
        tab.keyboard.type("The ")
        expect(tab.locator(".suggestions button")).to_have_count(3)
    assert [message.split()[0] for message in asked] == ["This", "Refused."]


def test_a_token_that_is_not_given_is_not_asked_for_again(tab, serving):
    app = create_app(served_models.models("texts"), tokens=["secret-of-the-server"])
    tab.expected.append("401")
    asked = []

    def dismiss(dialog):
        asked.append(dialog.message)
        dialog.dismiss()

    tab.on("dialog", dismiss)
    with serving(app) as address:
        tab.clock.install()
        tab.goto(address)
        expect(tab.get_by_role("alert").filter(has_text="This server asks for a token")).to_be_visible()
        tab.clock.run_for(10_000)
    assert len(asked) == 1


def test_links_that_are_scrolled_out_of_sight_do_not_count_as_skip_links(visit):
    page = visit("forecaster")
    page.set_viewport_size({"width": 360, "height": 800})
    page.reload()
    page.get_by_role("textbox").wait_for()
    assert page.locator("nav").evaluate("list => list.scrollLeft") > 0
    assert Axe().run(page, options={"runOnly": ["skip-link"]}).response["violations"] == []


def test_a_model_in_training(tab, look_at, serving):
    host = Host(served_models.models("words"))
    later, broken = host.add("later"), host.add("broken")
    following = host.add("next")
    following.status = "waiting"
    later.progress, later.message = 0.4, "epoch 3 of 8"
    broken.status, broken.message = "failed", "out of memory"
    with serving(create_app(host)) as address:
        tab.goto(f"{address}#later")
        expect(tab.get_by_role("progressbar")).to_have_attribute("value", "0.4")
        expect(tab.get_by_text("40% · epoch 3 of 8")).to_be_visible()
        expect(tab.get_by_role("link", name="next")).to_contain_text("Waiting")
        following.status = "failed"
        look_at(tab, "training")
        later.progress = 0.5
        expect(tab.get_by_text("50% · epoch 3 of 8")).to_be_visible()
        later.become(served_models.models("texts")["texts"])
        expect(tab.get_by_role("button", name="Classify")).to_be_visible()
        tab.goto(f"{address}#broken")
        expect(tab.get_by_text("out of memory")).to_be_visible()
        look_at(tab, "failed")
