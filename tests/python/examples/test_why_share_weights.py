"""The experiment of examples/why_share_weights.py: its data are fair, its nets right, and it finds what it says."""

import re
import sys

import journeys
import numpy as np
import pytest
import why_share_weights as why

import rnnrs
from rnnrs.data import Batch

SMALL = why.Size(learn=(60, 500), judge=400, recurrent_steps=200, feed_forward_steps=500)


@pytest.fixture(scope="module")
def run():
    return why.experiment(0, SMALL)


@pytest.mark.parametrize("held_out", [False, True])
def test_tags_stand_at_the_year_of_the_journey(held_out):
    data = journeys.sentences(300, 1, held_out=held_out)
    assert data.ids.shape == data.tags.shape == (journeys.WINDOW, 300)
    for i, text in enumerate(data.texts):
        assert "".join(journeys.ALPHABET[c] for c in data.ids[:, i]) == text.ljust(journeys.WINDOW, "\0")
        tagged = np.flatnonzero(data.tags[:, i] == 1)
        assert tagged.tolist() == list(range(data.starts[i], data.starts[i] + 4))
        assert np.array_equal(data.tags[:, i] < 0, data.ids[:, i] == 0)
        before = text[: data.starts[i]]
        clause = re.split(" and |, ", before)[-1].lower()
        assert clause.endswith("in ") and "born" not in clause


def test_numbers_alone_do_not_tell_the_year():
    data = journeys.sentences(2000, 2, held_out=False)
    years, others = set(), set()
    for text, start in zip(data.texts, data.starts, strict=True):
        for found in re.finditer(r"\d+", text):
            (years if found.start() == start else others).add(int(found[0]))
    assert years == others == set(journeys.YEARS)


def test_places_and_years_are_held_out_but_not_their_characters():
    learn = journeys.sentences(3000, 3, held_out=False, starts=journeys.SEEN)
    test = journeys.sentences(3000, 4, held_out=True)
    assert not set(journeys.PLACES) & set(journeys.HELD_OUT_PLACES)
    for place in journeys.HELD_OUT_PLACES:
        assert not any(place in text for text in learn.texts)
    assert not {int(n) for text in learn.texts for n in re.findall(r"\d+", text)} & set(
        journeys.HELD_OUT_YEARS
    )
    assert {int(n) for text in test.texts for n in re.findall(r"\d+", text)} == set(journeys.HELD_OUT_YEARS)
    assert set("".join(test.texts)) <= set("".join(learn.texts))
    assert all(any(start in part for part in journeys.SEEN) for start in learn.starts)


def test_every_clause_begins_a_sentence_of_training():
    learn = journeys.sentences(3000, 5, held_out=False, starts=journeys.SEEN)
    for clause in journeys.JOURNEYS + journeys.OTHERS:
        begin = clause.partition("{")[0]
        begin = begin[0].upper() + begin[1:]
        assert any(text.startswith(begin) for text in learn.texts), clause


def test_the_same_seed_gives_the_same_sentences():
    first, again, other = (journeys.sentences(50, seed, held_out=True).texts for seed in (7, 7, 8))
    assert first == again != other


def test_new_places_share_no_character_with_years_of_training():
    learn = journeys.sentences(3000, 6, held_out=False, starts=journeys.SEEN)
    used = (learn.tags == 1).any(axis=1)
    starts = np.arange(journeys.WINDOW - 4)
    kinds = journeys.where(starts)
    for start, kind in zip(starts, kinds, strict=True):
        if kind == -1:
            assert not used[start : start + 4].any()
        elif kind == 1:
            assert any(start in part for part in journeys.SEEN)
    assert kinds[[0, 27, 40, 51]].tolist() == [1] * 4
    assert kinds[[28, 30, 37, 39, 52, 54]].tolist() == [0] * 6
    assert kinds[[31, 36, 55, 67]].tolist() == [-1] * 4


def test_gradients_of_the_feed_forward_net():
    data = journeys.sentences(3, 9, held_out=False)
    net = why.FeedForward(5, 1, "float64")
    check = rnnrs.gradient_check(net, Batch(data.ids, data.tags), samples=60)
    assert check.worst < 1e-6


def test_the_nets_are_of_one_size():
    for hidden in (64, why.HIDDEN, 300):
        wanted = why.FeedForward(hidden, 0).parameters.size
        assert why.hidden_size_for(wanted) == hidden
    recurrent = why.recurrent(0).parameters.size
    feed_forward = why.FeedForward(why.hidden_size_for(recurrent), 0).parameters.size
    assert abs(feed_forward / recurrent - 1) < 0.01


class Fixed:
    """A net that tags what it was told."""

    def __init__(self, tagged):
        self.tagged = tagged

    def forward(self, ids):
        return np.stack([0.5 - self.tagged, self.tagged - 0.5], axis=-1), None


def test_judgments():
    data = journeys.sentences(4, 10, held_out=True)
    tagged = np.where(data.tags == 1, 1.0, 0.0)
    tagged[data.tags < 0] = 1.0  # after the end nothing counts
    tagged[data.starts[1], 1] = 0.0  # a digit missed
    tagged[0, 2] = 1.0  # a character too many
    judged = why.judge(Fixed(tagged), data)
    assert judged.exact.tolist() == [True, False, False, True]
    assert judged.found.tolist() == [4, 3, 4, 4] and judged.tagged.tolist() == [4, 3, 5, 4]
    exact, recall, f1 = judged.of(np.array([False, True, True, False]))
    assert exact == 0.0 and recall == 7 / 8
    assert f1 == pytest.approx(2 * (7 / 8) * (7 / 8) / (7 / 8 + 7 / 8))


def test_guessing_among_the_numbers():
    data = journeys.sentences(200, 11, held_out=True)
    numbers = np.array([len(re.findall(r"\d+", text)) for text in data.texts])
    assert {1, 2} == set(numbers.tolist())
    np.testing.assert_allclose(why.guess(data), 1 / numbers)


def test_only_shared_weights_reach_new_places(run):
    kinds = journeys.where(run.test.starts)
    recurrent, feed_forward = (run.judgments[name] for name in (why.RECURRENT, why.FEED_FORWARD))
    assert recurrent.of(kinds == 1)[1] > 0.9 and recurrent.of(kinds == -1)[1] > 0.9
    assert feed_forward.of(kinds == 1)[1] > 0.6 and feed_forward.of(kinds == -1)[1] < 0.02
    assert run.by_count[why.FEED_FORWARD, 60] < run.by_count[why.FEED_FORWARD, 500]
    assert run.longer > 0.5
    assert run.parameters[why.WIDE] > 3.5 * run.parameters[why.FEED_FORWARD]


def test_a_run_is_reproducible():
    size = why.Size(learn=(60, 200), judge=200, recurrent_steps=12, feed_forward_steps=24)
    first, again = why.experiment(0, size), why.experiment(0, size)
    for name, judgment in first.judgments.items():
        for part, same in zip(judgment, again.judgments[name], strict=True):
            np.testing.assert_array_equal(part, same)


def test_the_table_names_all_networks(run):
    text = why.table([run, run])
    for name in (*run.judgments, why.GUESS):
        assert f"| {name} |" in text
    assert "± 0.0" in text and "±" not in why.table([run])


def test_the_picture(run, tmp_path):
    pytest.importorskip("matplotlib")
    why.draw([run, run], str(tmp_path / "picture.png"))
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(sys, "argv", ["why", "--output", str(tmp_path / "picture.png")])
    with pytest.raises(SystemExit):
        why.main()
    assert 'pip install "rnnrs[plot]"' in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--output", "no/such/folder/picture.png"]])
def test_arguments_that_make_no_sense(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["why", *arguments])
    with pytest.raises(SystemExit) as stopped:
        why.main()
    assert stopped.value.code == 2 and arguments[0] in capsys.readouterr().err
