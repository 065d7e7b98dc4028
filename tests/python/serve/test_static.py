"""The page's files."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from rnnrs.serve import create_app
from rnnrs.serve.static import FOLDER, MEDIA_TYPES, page_routes


@pytest.fixture(scope="module")
def client():
    return TestClient(create_app({}), base_url="http://localhost")


def test_the_page_and_all_of_its_files(client):
    page = client.get("/")
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.content == (FOLDER / "index.html").read_bytes()
    files = [file for file in FOLDER.rglob("*") if file.is_file()]
    assert len(files) > 3
    for file in files:
        answer = client.get(f"/page/{file.relative_to(FOLDER).as_posix()}")
        assert answer.content == file.read_bytes()
        assert answer.headers["content-type"] == MEDIA_TYPES[file.suffix]
        assert answer.headers["cache-control"] == "no-cache"


def test_a_browser_that_has_the_file_gets_no_second_one(client):
    tag = client.get("/").headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = client.get("/", headers={"If-None-Match": known})
        assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == tag
    assert client.get("/", headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_is_answered_and_nothing_else(client):
    assert client.head("/").status_code == 200 and client.head("/").content == b""
    assert client.post("/").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "/etc/passwd",
        "%2fetc/passwd",
        "",
        ".",
        "index.html%00",
        "x\\..\\app.py",
    ],
)
def test_no_path_reaches_the_file_system(client, path):
    assert client.get(f"/page/{path}").status_code == 404


def test_only_what_was_there_at_the_start(tmp_path):
    (tmp_path / "index.html").write_text("first")
    (tmp_path / "secret.pem").write_text("a key")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.js").write_text("a")
    client = TestClient(Starlette(routes=page_routes(tmp_path)))
    (tmp_path / "index.html").write_text("second")
    (tmp_path / "late.js").write_text("late")
    assert client.get("/").text == "first" and client.get("/page/parts/a.js").text == "a"
    assert client.get("/page/secret.pem").status_code == client.get("/page/late.js").status_code == 404
