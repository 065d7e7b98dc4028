"""examples/automaton.py: the network is its automaton, also under as much noise as the proof allows, and no more."""

import itertools
import sys

import automaton as examples
import numpy as np
import pytest
from automaton import Automaton, AutomatonNetwork

AUTOMATA = {
    "parity": examples.parity(),
    "divisible by 7": examples.divisible_by(7),
    "number": examples.number(),
}
DTYPES = ["float32", "float64"]


def drawn(seed: int) -> Automaton:
    """An automaton with a table of random states: some never reached, some left at once."""
    rng = np.random.default_rng(seed)
    states = [f"q{i}" for i in range(rng.integers(1, 12))]
    alphabet = "abcde"[: rng.integers(1, 6)]
    table = {(q, s): str(rng.choice(states)) for q in states for s in alphabet}
    return Automaton(states[0], [q for q in states if rng.random() < 0.5], table)


def random_word(rng, automaton: Automaton, length: int) -> list[str]:
    return [str(s) for s in rng.choice(automaton.alphabet, length)]


def all_words(alphabet: list[str], most: int) -> list[tuple[str, ...]]:
    return [w for n in range(most + 1) for w in itertools.product(alphabet, repeat=n)]


def agree(network: AutomatonNetwork, word, x, state=None) -> float:
    """Asserts that states and answers are the automaton's at every step; how far h was from ±1 at most."""
    h, o = network.forward(x, state)
    states = network.automaton.run(word)
    assert network.states(h[:, 0]) == states
    assert ((o[:, 0] > 0) == [q in network.automaton.accepting for q in states]).all()
    return float((1 - np.abs(h)).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "most"), [("parity", 10), ("divisible by 7", 10), ("number", 3)])
def test_all_short_words(name, most, dtype):
    network = AutomatonNetwork(AUTOMATA[name], dtype=dtype)
    words = all_words(network.automaton.alphabet, most)
    for length, some in itertools.groupby(words[1:], len):
        some = list(some)
        x = np.stack([network.one_hot(word)[:, 0] for word in some], axis=1)
        _, o = network.forward(x)
        assert ((o[-1] > 0) == [network.automaton.accepts(word) for word in some]).all(), length
    for word in words[:20]:
        assert network.accepts(word) == network.automaton.accepts(word)


def test_the_automata_are_what_they_are_called():
    for word in all_words(["0", "1"], 9):
        assert AUTOMATA["parity"].accepts(word) == (word.count("1") % 2 == 1)
        assert AUTOMATA["divisible by 7"].accepts(word) == (int("".join(word) or "0", 2) % 7 == 0)
    for word in all_words(["+", "7", ".", "e"], 5):
        text = "".join(word)
        try:
            float(text)
            is_number = True
        except ValueError:
            is_number = False
        assert AUTOMATA["number"].accepts(text) == is_number, text


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(12))
def test_drawn_automata(seed, dtype):
    rng, automaton = np.random.default_rng(100 + seed), drawn(seed)
    network = AutomatonNetwork(automaton, gain=None if seed % 2 else 60.0, dtype=dtype)
    assert network.accepts("") == (automaton.start in automaton.accepting)
    word = random_word(rng, automaton, 2000)
    assert agree(network, word, network.one_hot(word)) < network.epsilon


def disturb(network: AutomatonNetwork, rng, share: float = 1.0) -> None:
    """Moves every weight by ±δ: the worst that the proof allows of each."""
    for layer in (network.rnn, network.output):
        for name, weights in layer.parameters.items():
            if name != "state":
                weights += share * network.delta * rng.choice([-1.0, 1.0], weights.shape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", AUTOMATA)
def test_100_000_steps_with_all_the_noise_that_the_proof_allows(name, dtype):
    rng = np.random.default_rng(7)
    network = AutomatonNetwork(AUTOMATA[name], dtype=dtype)
    disturb(network, rng)
    word = random_word(rng, network.automaton, 100_000)
    x = network.one_hot(word)
    x += network.eta * rng.choice([-1.0, 1.0], x.shape)
    first = network.rnn.parameters["state"]
    first = (first + network.epsilon * rng.choice([-1.0, 1.0], first.shape))[None]
    assert agree(network, word, x, first) <= network.epsilon


def worst(network: AutomatonNetwork, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Deviations that all push one unit's sum the same way: (x, state) of one step, after U, W and b have moved.

    The unit that is to be +1 after the first symbol of a word, and the state before it.
    """
    p, word = network.rnn.parameters, network.automaton.alphabet[:1]
    x = network.one_hot(word)
    unit = int(network.forward(x)[0][0, 0].argmax())
    first = p["state"] - network.epsilon * np.sign(p["W"][unit] + (p["W"][unit] == 0) * p["state"])
    x[0, 0] -= scale * network.eta * np.sign(p["U"][unit] + (p["U"][unit] == 0))
    p["W"][unit] -= scale * network.delta * np.sign(first)
    p["U"][unit] -= scale * network.delta * np.sign(x[0, 0])
    p["b"][unit] -= scale * network.delta
    return x, first[None]


@pytest.mark.parametrize("name", AUTOMATA)
def test_the_worst_case_is_borne_and_little_more(name):
    word = AUTOMATA[name].alphabet[:1]
    network = AutomatonNetwork(AUTOMATA[name], dtype="float64")
    assert agree(network, word, *worst(network, 1.0)) <= network.epsilon
    network = AutomatonNetwork(AUTOMATA[name], dtype="float64")
    x, first = worst(network, 3.0)
    h, _ = network.forward(x, first)
    assert h.max() < 0  # the unit that should be +1 is not


def test_errors_do_not_add_up():
    """The deviation after one step of noise is gone after the next ones."""
    network = AutomatonNetwork(AUTOMATA["divisible by 7"], dtype="float64")
    word = random_word(np.random.default_rng(3), network.automaton, 50)
    x = network.one_hot(word)
    clean, _ = network.forward(x)
    first = network.rnn.parameters["state"] * (1 - network.epsilon)
    h, _ = network.forward(x, first[None])
    off = np.abs(h - clean).max(axis=(1, 2))
    assert off[0] > 1e-4 and (off[1:] <= off[:-1]).all() and off[20] < 1e-12


def test_a_larger_gain_bears_more():
    automaton = AUTOMATA["parity"]
    small, large = AutomatonNetwork(automaton), AutomatonNetwork(automaton, gain=100.0)
    assert large.delta > 5 * small.delta
    rng = np.random.default_rng(1)
    disturb(large, rng)
    word = random_word(rng, automaton, 1000)
    assert agree(large, word, large.one_hot(word)) <= large.epsilon


@pytest.mark.parametrize("gain", [8.7, -20.0, float("nan"), float("inf")])
def test_a_gain_without_a_proof_is_refused(gain):
    with pytest.raises(ValueError, match=r"gain: expected from 8\.789 to 1e6, got"):
        AutomatonNetwork(AUTOMATA["parity"], gain=gain)


def test_tables_and_words_that_make_no_sense():
    with pytest.raises(ValueError, match=r"expected a row of \('b', '1'\), got none"):
        Automaton("a", [], {("a", "0"): "a", ("a", "1"): "b", ("b", "0"): "a"})
    for start, accepting, then in (("x", [], "a"), ("a", ["x"], "a"), ("a", [], "x")):
        with pytest.raises(ValueError, match="expected rows of the state 'x', got none"):
            Automaton(start, accepting, {("a", "0"): then})
    network = AutomatonNetwork(AUTOMATA["parity"])
    for read in (network.accepts, network.automaton.accepts):
        with pytest.raises(ValueError, match="word: expected symbols among '0', '1', got '2'"):
            read("012")


def test_more_units_than_float32_allows():
    automaton = Automaton("0", ["0"], {(str(i), "a"): "0" for i in range(1100)})
    with pytest.raises(ValueError, match="dtype: expected float64 or fewer than 1101 units, got float32"):
        AutomatonNetwork(automaton)
    assert AutomatonNetwork(automaton, dtype="float64").accepts("a")


def command(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["automaton", *arguments])
    examples.main()


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--divisor", "7", "10101"], "accepted"),
        (["10100"], "rejected"),
        (["--divisor", "5", "1111"], "accepted"),
        (["--parity", "0110"], "rejected"),
        (["--parity", ""], "rejected"),
        (["--number"], "accepted"),
        (["--number", "--", "-1.5e"], "rejected"),
    ],
)
def test_the_command(arguments, answer, monkeypatch, capsys):
    command(monkeypatch, *arguments)
    shown = capsys.readouterr().out
    assert f"answer     {answer}\n" in shown and "units" in shown


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--divisor", "0", "1"], "--divisor: expected a number from 1 to 1000, got '0'"),
        (["--divisor", "seven", "1"], "--divisor: expected a number from 1 to 1000, got 'seven'"),
        (["--divisor", "7", "12"], "word: expected symbols among '0', '1', got '2'"),
    ],
)
def test_arguments_that_make_no_sense(arguments, wrong, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        command(monkeypatch, *arguments)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and wrong in error and error.count("\n") == 1
