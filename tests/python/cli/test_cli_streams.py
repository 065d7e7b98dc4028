"""Standard input, output and error: closed, full, broken, of another encoding; texts on a terminal; wrong usage."""

import gzip
import json
import os
import subprocess
import sys

import pytest
from rnnrs_command import COMMAND, call, refused
from small_trainings import TEXT, TRAININGS, training

import rnnrs
from rnnrs import models

posix = pytest.mark.skipif(os.name != "posix", reason="descriptors of POSIX")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small language model of characters, and hostile ones."""
    path = tmp_path_factory.mktemp("streams") / "m.rnn"
    models.LanguageModel.from_text(TEXT + "\x1b\x07\x9b\u202e", hidden_size=4).save(path)
    return path


def shell(line, *arguments):
    """Runs the command in a shell: (exit code, standard output and error)."""
    command = ["bash", "-c", line.replace("RNNRS", " ".join(COMMAND)), "bash", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=100, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


@posix
@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", "2>/dev/full", "2>&1 | true; exit ${PIPESTATUS[0]}"])
def test_no_stream_stops_a_training(tmp_path, streams):
    words = [word for word in training(tmp_path, "lm") if word != "--quiet"]
    code, out = shell(f'RNNRS "$@" -o {tmp_path}/m.rnn {streams}', *words)
    assert code in (0, 141) and "Traceback" not in out and "Exception" not in out
    assert rnnrs.load(tmp_path / "m.rnn").settings.epochs == 2


@posix
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('RNNRS lm generate "$1" --length 5 >/dev/full', "rnnrs: standard output: No space left on device\n"),
        ('RNNRS lm score "$1" abc >&-', "rnnrs: standard output: is closed\n"),
        ('RNNRS lm score "$1" <&-', "rnnrs: standard input: is closed\n"),
    ],
)
def test_results_that_cannot_be_written_are_an_error_of_one_line(model, line, message):
    assert shell(line, model) == (1, message)


def test_a_training_without_any_stream(tmp_path, monkeypatch):
    """As under pythonw, which has none."""
    from rnnrs.cli import main

    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    made = models.LanguageModel.from_text(TEXT, hidden_size=4)
    made.fit(TEXT, 0.2, epochs=1, examples=1)
    words = [word for word in training(tmp_path, "lm", "-o", str(tmp_path / "m")) if word != "--quiet"]
    assert main(words) == 0 and (tmp_path / "m").exists()
    assert main(["info", str(tmp_path / "nothing")]) == 1


@pytest.mark.parametrize("command", [name for name in TRAININGS if name != "caption"])
def test_data_come_from_standard_input_as_from_a_file(command, tmp_path):
    words = training(tmp_path, command)
    name, text, _ = TRAININGS[command]
    assert call(*words, "-o", tmp_path / "file")[0] == 0
    words[2] = "-"
    expected = rnnrs.load(tmp_path / "file").parameters.flat.tobytes()
    for i, (data, more) in enumerate(
        (
            (gzip.compress(b"\xef\xbb\xbf" + text.replace("\n", "\r").encode()), ()),
            (text.encode("utf-16"), ("--encoding", "utf-16")),
        )
    ):
        code, _, error = call(*words, "-o", tmp_path / f"{i}", *more, stdin=data)
        assert code == 0, error
        assert rnnrs.load(tmp_path / f"{i}").parameters.flat.tobytes() == expected
    bad = text.encode().replace(b"i", b"\xe9") if command != "forecast" else b"value\n1\n\xe9\n"
    refused(
        r"standard input: line \d+: expected UTF-8 text, got byte 0xe9 .*cp1252",
        *words,
        "-o",
        tmp_path / "x",
        stdin=bad,
    )
    refused(
        r"standard input: .* looks like UTF-16", *words, "-o", tmp_path / "x", stdin=text.encode("utf-16")
    )
    assert not (tmp_path / "x").exists() and name in {path.name for path in tmp_path.iterdir()}


def test_lines_of_standard_input(model):
    score = ("lm", "score", model)
    lines = [f"{rnnrs.load(model).log_prob(s):.4f}\t{s}" for s in ("the cat", "a\u2028b", "c")]
    data = "\ufeffthe cat\ra\u2028b\r\nc"
    for stdin, more in (
        (data.encode(), ()),
        (gzip.compress(data.encode()), ()),
        (data.encode("utf-16"), ("--encoding", "utf-16")),
    ):
        assert call(*score, *more, stdin=stdin) == (0, "".join(f"{line}\n" for line in lines), "")
    refused(
        r"standard input: line 2: expected UTF-8 text, got byte 0xe9 at offset 5",
        *score,
        stdin=b"abc\nz\xe9\n",
    )
    refused(
        "argument --encoding: expected one that Python knows.*see rnnrs lm score --help",
        *score,
        "--encoding",
        "x",
        code=2,
    )
    code, out, _ = call("lm", "evaluate", model, "-", "--json", stdin=TEXT.encode())
    assert code == 0 and json.loads(out)["characters"] == len(TEXT)


@posix
def test_a_terminal_obeys_no_text_and_a_pipe_gets_it_unchanged(model, tmp_path):
    import pty

    hostile = "a\x1b[31mb\x07\x9b\u202ec"
    path = tmp_path / "\x1b[31mm.rnn"
    path.write_bytes(model.read_bytes())
    for words, there in (
        (["lm", "score", path, hostile], "a\\u001b[31mb\\u0007\\u009b\\u202ec"),
        (["info", tmp_path / "\x1b[2J"], "\\u001b[2J: No such file"),
    ):
        pid, handle = pty.fork()
        if pid == 0:
            os.execv(COMMAND[0], [*COMMAND, *map(str, words)])
        shown = b""
        while True:
            try:
                chunk = os.read(handle, 65536)
            except OSError:  # the end on Linux
                break
            if not chunk:
                break
            shown += chunk
        os.close(handle)
        os.waitpid(pid, 0)
        text = shown.decode()
        assert there in text and not set(text) & set("\x1b\x07\x9b\u202e")
    assert hostile in call("lm", "score", path, hostile)[1]
    assert "\x1b[2J" in call("info", tmp_path / "\x1b[2J")[2]


@pytest.mark.parametrize(
    ("words", "help_of"),
    [
        (["--nope"], "rnnrs"),
        (["lm", "--nope", "train", "a", "-o", "b"], "rnnrs lm"),
        (["lm", "train", "a", "-o", "b", "--nope"], "rnnrs lm train"),
        (["lm", "train", "a", "-o", "b", "--hiden", "3"], "rnnrs lm train"),
        (["translate", "run", "m", "--nope", "a"], "rnnrs translate run"),
        (["caption", "describe", "m", "--nope"], "rnnrs caption describe"),
        (["info", "m", "--nope"], "rnnrs info"),
        (["demo", "--nope"], "rnnrs demo"),
        (["info", "m", "surplus"], "rnnrs info"),
        (["lm", "train", "a", "-o", "b", "--resume=maybe"], "rnnrs lm train"),
        (["lm", "train", "a", "-o", "b", "--checkpoint-every", "5x"], "rnnrs lm train"),
    ],
)
def test_wrong_usage_names_the_help_of_its_command(words, help_of):
    refused(rf"\(see {help_of} --help\)", *words, code=2)


def test_resume_takes_no_word_after_it(tmp_path):
    words = training(tmp_path, "lm")
    refused(
        "m.rnn: no checkpoint to resume from", *words[:2], "--resume", *words[2:], "-o", tmp_path / "m.rnn"
    )


def test_escapes_in_words_of_the_command_line(tmp_path, model):
    from rnnrs.cli.common import unescaped

    assert [unescaped(text) for text in ("\\n", "\\\\n", "a\\tb\\r", "C:\\\\new", "\n", "\\x")] == [
        "\n", "\\n", "a\tb\r", "C:\\new", "\n", "\\x",
    ]  # fmt: skip
    code, out, _ = call("lm", "generate", model, "--prompt", "the", "--length", "300", "--stop", "\\n")
    assert code == 0 and out.count("\n") == 1


def test_an_explicit_share_of_a_short_text_is_held_out(tmp_path):
    (tmp_path / "short.txt").write_text(TEXT[:150])
    words = training(tmp_path, "lm")
    words[2] = str(tmp_path / "short.txt")
    code, out, _ = call(*words, "-o", tmp_path / "a", "--validation", "0.2", "--json")
    assert code == 0 and json.loads(out)["validation"]["tokens"] >= 30
    code, out, error = call(*(w for w in words if w != "--quiet"), "-o", tmp_path / "b", "--json")
    assert code == 0 and json.loads(out)["validation"] is None
    assert "no held-out data: the text has 150 characters" in error


@pytest.mark.parametrize("delimiter", [",", "\\t"])
def test_empty_texts_are_left_out_of_training_and_get_a_class(tmp_path, delimiter):
    rows = ["text,kind", *(f"{w} one,{w}" for w in ("good", "bad") * 5), ",good", "  ,bad"]
    path = tmp_path / "rows"
    path.write_text("\n".join(rows).replace(",", "\t" if delimiter == "\\t" else ",") + "\n")
    words = ["--text", "text", "--delimiter", delimiter]
    train = ["classify", "train", path, "-o", tmp_path / "m", "--epochs", "1", "--hidden", "4", *words]
    code, _, error = call(*train)
    assert code == 0 and f"{path}: 2 of 12 texts left out, which are empty\n" in error
    code, out, _ = call("classify", "predict", tmp_path / "m", path, *words)
    assert code == 0 and out.count("\n") == 13
    path.write_text("text,kind\n,a\n ,b\n")
    refused("expected texts, got 2 empty ones", *train[:5], "--text", "text", "--force")
