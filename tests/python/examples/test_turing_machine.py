"""examples/turing_machine.py: the network computes what the machine does, or says that the tape does not fit."""

import itertools
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import turing
import turing_machine as example
from turing import Configuration, Machine, last, simulate
from turing_machine import TuringNetwork

#: Unary addition, from a table: 11+111 becomes 11111, the plus a one and the last one a blank.
ADDITION = Machine(
    "left",
    "_",
    {
        ("left", "1"): ("left", "1", "R"),
        ("left", "+"): ("right", "1", "R"),
        ("right", "1"): ("right", "1", "R"),
        ("right", "_"): ("erase", "_", "L"),
        ("erase", "1"): ("done", "_", "S"),
    },
    name="addition",
)


def runner(symbol: str, move: str) -> Machine:
    """Writes one symbol for ever, in one direction."""
    return Machine(
        "go", "_", {("go", "_"): ("go", symbol, move), ("never", "x"): ("go", "y", "S")}, name="runner"
    )


def words(alphabet: str, most: int) -> list[str]:
    return ["".join(w) for n in range(most + 1) for w in itertools.product(alphabet, repeat=n)]


def drawn_words(alphabet: str, lengths: range, count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(alphabet), rng.choice(lengths))) for _ in range(count)]


def result(configuration: Configuration) -> str:
    return (configuration.left + configuration.head + configuration.right).strip("_")


@pytest.fixture(scope="module")
def increment():
    return TuringNetwork(turing.increment())


@pytest.fixture(scope="module")
def palindrome():
    return TuringNetwork(turing.palindrome())


def test_binary_increment(increment):
    assert increment.limit == 26 and increment.base == 4
    full = ["1" * 26, "0" * 26, "10" * 13, "0" + "1" * 25, "1" * 25 + "0"]
    for word in words("01", 8) + drawn_words("01", range(9, 27), 150, 0) + full:
        configurations = list(increment.configurations(word))
        assert configurations == list(simulate(increment.machine, word))
        assert configurations[-1].state == "done"
        assert int(result(configurations[-1]), 2) == int(word or "0", 2) + 1


def test_palindromes(palindrome):
    halves = drawn_words("ab", range(5, 14), 30, 1)
    even, odd = [w + w[::-1] for w in halves], [w + w[-2::-1] for w in halves]
    full = ["a" * 26, "ab" * 13, "ab" * 6 + "a" + "ba" * 6, "a" * 13 + "b" + "a" * 12]
    for word in words("ab", 8) + drawn_words("ab", range(8, 27), 60, 2) + even + odd + full:
        configurations = list(palindrome.configurations(word))
        assert configurations == list(simulate(palindrome.machine, word))
        assert configurations[-1].state == ("yes" if word == word[::-1] else "no")


def test_unary_addition():
    network = TuringNetwork(ADDITION)
    assert network.base == 4
    for a, b in [*itertools.product(range(5), repeat=2), (12, 13), (25, 0), (0, 25)]:
        word = "1" * a + "+" + "1" * b
        configurations = list(network.configurations(word))
        assert configurations == list(simulate(ADDITION, word))
        assert result(configurations[-1]) == "1" * (a + b)


def drawn(seed: int) -> Machine:
    """A table of random rows, some missing; of 2 to 16 symbols, one of which marks the end of a word."""
    rng = np.random.default_rng(seed)
    symbols = "_abcdefghijklmno"[: rng.integers(2, 17)]
    states = [f"q{i}" for i in range(rng.integers(1, 6))]
    table = {
        (q, s): (str(rng.choice(states)), str(rng.choice(list(symbols))), str(rng.choice(list("LLLRRRS"))))
        for q in states
        for s in symbols
        if rng.random() < 0.97
    }
    table["q0", "a"] = ("q0", symbols[-1], "R")  # at least these rows: all symbols are known
    return Machine("q0", "_", table, name="drawn")


@pytest.mark.parametrize("seed", range(60))
def test_drawn_machines_step_by_step(seed):
    """Tape, head and state, to the end or for 300 steps; where the tape does not fit, not a step earlier or later."""
    machine = drawn(seed)
    network = TuringNetwork(machine)
    known = "".join(machine.symbols[1:])
    (word,) = drawn_words(known, range(network.limit + 1), 1, seed)
    expected = list(itertools.islice(simulate(machine, word), 300))
    fits = [max(len(c.left), len(c.right)) <= network.limit for c in expected]
    there = fits.index(False) if False in fits else len(fits)
    configurations = network.configurations(word)
    assert list(itertools.islice(configurations, there)) == expected[:there]
    if there < len(fits):
        with pytest.raises(OverflowError, match=f"expected at most {network.limit} symbols"):
            next(configurations)


def test_the_drawn_machines_are_of_all_kinds():
    """What the test above would be worth little without: halting, running on, and running out of tape."""
    ends = {"halts": 0, "runs on": 0, "out of tape": 0}
    for seed in range(60):
        network = TuringNetwork(drawn(seed))
        (word,) = drawn_words("".join(network.machine.symbols[1:]), range(network.limit + 1), 1, seed)
        try:
            steps = len(list(itertools.islice(network.configurations(word), 300)))
            ends["runs on" if steps == 300 else "halts"] += 1
        except OverflowError:
            ends["out of tape"] += 1
    assert min(ends.values()) >= 5, ends


@pytest.mark.parametrize(
    ("symbols", "base", "limit"), [(2, 4, 26), (3, 4, 26), (4, 8, 17), (7, 8, 17), (8, 16, 13)]
)
def test_the_limit_by_the_number_of_symbols(symbols, base, limit):
    table = {("q", "_abcdefg"[i]): ("q", "_abcdefg"[i], "R") for i in range(1, symbols)}
    network = TuringNetwork(Machine("q", "_", table))
    assert (network.base, network.limit) == (base, limit)
    for letter in "_abcdefg"[1:symbols]:
        final, steps = last(network.configurations(letter * limit))
        assert final == Configuration("q", letter * limit, "_", "") and steps == limit
        with pytest.raises(
            OverflowError, match=f"the word: expected at most {limit} symbols, .* got {limit + 1}"
        ):
            next(network.configurations(letter * (limit + 1)))


@pytest.mark.parametrize(("move", "side"), [("L", "right"), ("R", "left")])
def test_a_tape_that_grows_while_the_machine_runs(move, side):
    for symbol in "xy":
        network = TuringNetwork(runner(symbol, move))
        configurations = network.configurations("")
        seen = list(itertools.islice(configurations, 27))
        with pytest.raises(
            OverflowError, match=f"the tape {side} of the head: expected at most 26 .* got 27"
        ):
            next(configurations)
        assert (
            getattr(seen[-1], side) == symbol * 26
        )  # the most that fits was right, and only then came the error
        assert seen == list(itertools.islice(simulate(network.machine, ""), 27))


def exact(network: TuringNetwork, x: np.ndarray) -> list[list[Fraction]]:
    """h_t = σ(b + W h_{t−1} + U x_t) of x (T, I) in fractions: no rounding at all."""
    p = network.rnn.parameters
    W, U = ([[(j, Fraction(w)) for j, w in enumerate(row) if w] for row in p[name].tolist()] for name in "WU")
    b = [Fraction(number) for number in p["b"].tolist()]
    h, states = [Fraction(0)] * len(b), []
    for x_t in x.astype(int).tolist():
        a = [
            b_i + sum(w * h[j] for j, w in W_i) + sum(u * x_t[j] for j, u in U_i)
            for b_i, W_i, U_i in zip(b, W, U, strict=True)
        ]
        h = [min(max(a_i, Fraction(0)), Fraction(1)) for a_i in a]
        states.append(h)
    return states


def inputs(network: TuringNetwork, word: str, more: int) -> np.ndarray:
    """A word as the network reads it, and the silence after it."""
    x = np.zeros((2 * len(word) + 1 + more, 1, network.rnn.input_size))
    x[2 * np.arange(len(word)), 0, [network.machine.symbols.index(s) - 1 for s in word]] = 1
    x[2 * len(word), 0, -1] = 1
    return x


@pytest.mark.parametrize(("make", "word"), [(turing.increment, "01" * 13), (turing.palindrome, "ba" * 13)])
def test_no_step_rounds(make, word):
    """With a tape as long as may be, every unit at every step is what fractions give; beyond it no longer."""
    network = TuringNetwork(make())
    x = inputs(network, word, 220)
    h, _ = network.rnn.forward(x)
    assert [[Fraction(v) for v in row] for row in h[:, 0].tolist()] == exact(network, x[:, 0])
    arrivals = [len(unit) == 3 and unit[2] in ("L", "R", "S") for unit in network.units]
    assert (
        h[::2, 0, arrivals].any() and not h[1::2, 0, arrivals].any()
    )  # in half of the steps no machine runs

    symbol = network.machine.symbols
    x = inputs(network, symbol[1] + symbol[2] * 26, 0)
    h, _ = network.rnn.forward(x)
    assert [Fraction(v) for v in h[-3, 0].tolist()] != exact(network, x[:, 0])[-3]


def test_weights_are_rational_and_few(increment):
    p = increment.rnn.parameters
    assert (p.flat * 4 == np.round(p.flat * 4)).all()
    assert set(np.abs(p.flat).tolist()) <= {0, 0.25, 1, 1.25, 1.5, 3, 4, 7, 16}
    assert increment.rnn.dtype == np.float64 and increment.rnn.activation == "saturated_linear"


def test_a_machine_that_has_halted_stays_as_it_is(palindrome):
    h, _ = palindrome.rnn.forward(inputs(palindrome, "abaab", 400))
    at = range(10, len(h), 2)
    halted = [t for t in at if palindrome.decode(h[t, 0]).state in ("yes", "no")]
    assert len(halted) > 100
    assert all((h[t] == h[halted[0]]).all() for t in halted)


def test_a_network_without_input_does_nothing(increment):
    h, _ = increment.rnn.forward(np.zeros((50, 1, 3)))
    assert not h.any()


def test_without_fused_instructions(tmp_path):
    """The portable kernels round products apart from sums: here neither needs rounding."""
    script = (
        f"import sys; sys.path.insert(0, {str(Path(example.__file__).parent)!r})\n"
        "import turing, turing_machine\n"
        "for make, word in ((turing.increment, '1' * 26), (turing.palindrome, 'ab' * 6 + 'bb' + 'ba' * 6)):\n"
        "    network = turing_machine.TuringNetwork(make())\n"
        "    assert list(network.configurations(word)) == list(turing.simulate(network.machine, word))\n"
    )
    environment = {**os.environ, "RNNRS_ISA": "scalar"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_words_tables_and_machines_that_make_no_sense(increment):
    for word, got in (("102", "'2'"), ("1_1", "'_'")):
        for compute in (increment.configurations(word), simulate(increment.machine, word)):
            with pytest.raises(
                ValueError, match=f"increment: word: expected symbols among '0', '1', got {got}"
            ):
                next(compute)
    for table, wrong in (
        ({("q", "a"): ("q", "a", "X")}, "expected a move L, R or S, got 'X'"),
        ({("q", "ab"): ("q", "a", "L")}, "expected symbols of one character, got 'ab'"),
        ({("q", "a"): ("", "a", "L")}, "expected states with names, got ''"),
        ({("q", "_"): ("q", "_", "L")}, "expected a symbol besides the blank, got '_' alone"),
    ):
        with pytest.raises(ValueError, match=wrong):
            Machine("q", "_", table)


def test_a_machine_that_never_halts():
    machine = Machine("q", "_", {("q", "a"): ("q", "a", "S")})
    for configurations in (simulate(machine, "a"), TuringNetwork(machine).configurations("a")):
        with pytest.raises(RuntimeError, match="expected a machine that halts within 500 steps"):
            last(configurations, 500)


def test_the_direct_simulator_keeps_account_of_blanks_between():
    machine = Machine(
        "q", "_", {("q", "a"): ("p", "_", "L"), ("p", "_"): ("p", "_", "L"), ("p", "b"): ("p", "b", "S")}
    )
    seen = list(itertools.islice(simulate(machine, "ab"), 4))
    assert seen == [("q", "", "a", "b"), ("p", "", "_", "_b"), ("p", "", "_", "__b"), ("p", "", "_", "___b")]


def command(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["turing_machine", *arguments])
    example.main()


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ["increment", "1011"],
            ["halted   in the state: done", "result   1100", "steps    8 of the machine"],
        ),
        (["palindrome", "abba"], ["halted   in the state: yes", "result   (blank tape)"]),
        (["palindrome", "ab"], ["halted   in the state: no"]),
        (["increment", ""], ["result   1\n", "word     (empty)"]),
        ([], ["result   1100"]),
    ],
)
def test_the_command(arguments, lines, monkeypatch, capsys):
    command(monkeypatch, *arguments)
    shown = capsys.readouterr().out
    for line in [*lines, " units, "]:
        assert line in shown


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["increment", "12"], "word: expected symbols among '0', '1', got '2'"),
        (["sort", "12"], "machine: expected one of increment, palindrome, got 'sort'"),
        (
            ["increment", "1" * 27],
            "the word: expected at most 26 symbols, each of 2 of a float64's 53 bits, got 27",
        ),
    ],
)
def test_arguments_that_make_no_sense(arguments, wrong, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        command(monkeypatch, *arguments)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and wrong in error and error.count("\n") == 1


def test_every_step_of_the_simulator(capsys):
    turing.main()
    assert "  1[1]00      done" in capsys.readouterr().out
