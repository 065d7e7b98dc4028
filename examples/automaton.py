"""Compiles any finite automaton into a tanh network that simulates it forever, in spite of noise.

    h_t = tanh(b + W h_{t−1} + U x_t),   o_t = c + V h_t,   x_t one-hot;   accepted so far where o_t > 0.

**Units.** There is one unit for every pair (q, s) of a state and a symbol. It is +1 if the automaton was in
q and has just read s, else −1. One extra unit is +1 only before the first symbol. The automaton is then in
p exactly if one of p's *predecessors* is +1: the pairs (q, s) with δ(q, s) = p, and for the initial state
the extra unit, too. At most one of the n_p predecessors is +1. So with a gain g

    a_(p,s) = g (Σ_{pred. of p} (h + 1)/2 + x_s − 3/2)  =  g/2, −g/2 or −3g/2, if both, one or none hold:

an "and" (Minsky 1967, *Computation: Finite and Infinite Machines*, chapter 3). As weights: W = g/2 from
predecessors, U = g from s, b = g(n_p − 3)/2. The extra unit has b = −g and nothing else. The output is such
a sum as well, over the n_o pairs that lead to accepting states: o = g (Σ (h + 1)/2 − 1/2) = ±g/2.

**Tolerated deviations.** Let n be the largest of all n_p and of n_o, H = |Q||Σ| + 1 the number of units,
k = |Σ|, and

- ε = 1/(4n): the deviation of any unit of the initial state from ±1,
- η = 1/8: the deviation of any component of x_t from 0 or 1, at every step,
- δ = g (1/16 − ρ) / (H(1 + ε) + 2 + k/8): the deviation of any component of U, W, b, V and c, zeros
  included, where ρ accounts for rounding.

*If g ≥ (8/3) ln(9n), every h_t stays within ε of ±1 with the right signs, and every o_t has the right sign,
forever.* Proof: let h_{t−1} be within ε, and let a be the value of a_t without any deviation. Then a_t
differs from it by at most

    δ Σ|h_{t−1}| + (g/2) n ε   +   δ Σ|x_t| + g η   +   δ   +   ρ g   ≤   g (1/8 + 1/8 + 1/16),

since Σ|h_{t−1}| ≤ H(1 + ε) and Σ|x_t| ≤ 1 + kη. From |a| ≥ g/2 follows |a_t| ≥ 3g/16 with a's sign, and 1 −
tanh z < 2e^(−2z) gives |h_t − ±1| < 2e^(−3g/8) ≤ 2/(9n) = 8ε/9. The remaining ninth covers the rounding of
tanh, two units in the last place. The same holds for o_t, which has no input: |o_t| ≥ 5g/16. ∎ Errors do
not accumulate, because saturation removes them at each step.

A sum of H + k + 1 terms whose absolute values add up to at most g (n + 4) has a rounding error of at most
ρg, where ρ = (H + k + 3)(n + 4) 2u and u = 6·10⁻⁸ in float32. This is small compared with 1/16 except for
thousands of units; a network that exceeds it is refused. A larger g tolerates a larger δ.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from rnnrs import nn

ETA = 1 / 8  #: the largest deviation of an input's components from 0 and 1


class Automaton:
    """A deterministic finite automaton.

    Args:
        start: the initial state.
        accepting: the states in which the word read so far is accepted.
        table: (state, symbol) → next state, for every state and every symbol.

    Attributes:
        states, alphabet: in the order of the table.

    Raises:
        ValueError: if a row is missing, or a state that is named elsewhere has no rows.
    """

    def __init__(self, start: str, accepting: Sequence[str], table: Mapping[tuple[str, str], str]) -> None:
        self.start, self.accepting, self.table = start, frozenset(accepting), dict(table)
        self.states = list(dict.fromkeys(q for q, _ in self.table))
        self.alphabet = list(dict.fromkeys(s for _, s in self.table))
        for q in (start, *accepting, *self.table.values()):
            if q not in self.states:
                raise ValueError(f"Automaton: table: expected rows of the state {q!r}, got none")
        for q in self.states:
            for s in self.alphabet:
                if (q, s) not in self.table:
                    raise ValueError(f"Automaton: table: expected a row of {(q, s)!r}, got none")

    def check_word(self, word: Sequence[str]) -> None:
        """Checks that all symbols of a word are in the alphabet.

        Raises:
            ValueError: for a symbol that is not in the alphabet.
        """
        unknown = set(word).difference(self.alphabet)
        if unknown:
            expected = ", ".join(map(repr, self.alphabet))
            raise ValueError(f"Automaton: word: expected symbols among {expected}, got {min(unknown)!r}")

    def run(self, word: Sequence[str]) -> list[str]:
        """Returns the state after each symbol, by direct simulation.

        Raises:
            ValueError: for a symbol that is not in the alphabet.
        """
        self.check_word(word)
        states, q = [], self.start
        for s in word:
            q = self.table[q, s]
            states.append(q)
        return states

    def accepts(self, word: Sequence[str]) -> bool:
        """Returns whether the word is accepted."""
        return [self.start, *self.run(word)][-1] in self.accepting


class AutomatonNetwork:
    """An automaton compiled into an `nn.RNN` and an `nn.Linear`.

    Args:
        automaton: the automaton to compile.
        gain: g; by default the smallest for which the proof holds.
        dtype: float32 or float64.

    Attributes:
        rnn: U (H, k), W (H, H), b (H), and the initial state, "state" (H,).
        output: V (1, H), c (1,).
        gain: g.
        epsilon, eta, delta: the tolerated deviations of states, inputs and weights, see above.

    Raises:
        ValueError: for a gain below that of the proof (or above 10⁶), or too many units for the precision.
    """

    def __init__(
        self, automaton: Automaton, *, gain: float | None = None, dtype: DTypeLike = np.float32
    ) -> None:
        self.automaton = automaton
        pairs = list(automaton.table)
        H, k = len(pairs) + 1, len(automaton.alphabet)
        into = np.array(
            [automaton.table[pair] for pair in pairs] + [automaton.start]
        )  # (H,): the next state of each unit
        accepting = np.isin(into, list(automaton.accepting))
        n = max(int((into == p).sum()) for p in automaton.states)
        n = max(n, int(accepting.sum()))
        least = 8 / 3 * math.log(9 * n)
        g = self.gain = least if gain is None else gain
        if not least <= g <= 1e6:
            raise ValueError(f"AutomatonNetwork: gain: expected from {least:.4g} to 1e6, got {gain}")
        self.epsilon, self.eta = 1 / (4 * n), ETA
        rounding = (H + k + 3) * (n + 4) * float(np.finfo(dtype).eps)
        if rounding >= 1 / 16:
            raise ValueError(
                f"AutomatonNetwork: dtype: expected float64 or fewer than {H} units, got {np.dtype(dtype)}"
            )
        self.delta = g * (1 / 16 - rounding) / (H * (1 + self.epsilon) + 2 + k * ETA)

        self.rnn = nn.RNN(k, H, learn_state=True, dtype=dtype)
        self.output = nn.Linear(H, 1, dtype=dtype)
        p = self.rnn.parameters
        p.flat[...] = 0.0
        for i, (q, s) in enumerate(pairs):
            predecessors = into == q
            p["W"][i, predecessors] = g / 2
            p["U"][i, automaton.alphabet.index(s)] = g
            p["b"][i] = g * (predecessors.sum() - 3) / 2
        p["b"][-1] = -g
        p["state"][...] = np.where(np.arange(H) == H - 1, 1.0, -1.0)
        self.output.parameters["V"][0] = np.where(accepting, g / 2, 0.0)
        self.output.parameters["c"][0] = g * (accepting.sum() - 1) / 2

    def one_hot(self, word: Sequence[str]) -> np.ndarray:
        """Returns the one-hot input x (T, 1, k) for a word.

        Raises:
            ValueError: for a symbol that is not in the alphabet.
        """
        self.automaton.check_word(word)
        place = {s: i for i, s in enumerate(self.automaton.alphabet)}
        return np.eye(len(place), dtype=self.rnn.dtype)[[place[s] for s in word]][:, None]

    def forward(self, x: ArrayLike, state: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Returns (h (T, B, H), o (T, B)) for inputs (T, B, k), from a state (B, H) or the initial state."""
        h, _ = self.rnn.forward(x, state, gradient=False)
        o, _ = self.output.forward(h)
        return h, o[..., 0]

    def accepts(self, word: Sequence[str]) -> bool:
        """Returns whether o > 0 after the word; for the empty word, at the initial state."""
        state = self.rnn.parameters["state"]
        h = self.forward(self.one_hot(word))[0][-1, 0] if word else state
        return bool(self.output.forward(h)[0][0] > 0)

    def states(self, h: np.ndarray) -> list[str]:
        """Returns the automaton's state after each step of one sequence, h (T, H)."""
        into = list(self.automaton.table.values())  # the next states of the units; one unit is +1
        return [into[i] for i in h[:, :-1].argmax(axis=1)]


def parity() -> Automaton:
    """Accepts words with an odd number of ones."""
    table = {("even", "0"): "even", ("even", "1"): "odd", ("odd", "0"): "odd", ("odd", "1"): "even"}
    return Automaton("even", ["odd"], table)


def divisible_by(divisor: int) -> Automaton:
    """Accepts binary numbers that `divisor` divides, most significant digit first; states are remainders."""
    table = {(str(r), digit): str((2 * r + int(digit)) % divisor) for r in range(divisor) for digit in "01"}
    return Automaton("0", ["0"], table)


def number() -> Automaton:
    """Accepts numbers as in programs: -12, .5, 6.02e+23. A lexer's automaton, by character classes."""
    classes = {"sign": "+-", "digit": "0123456789", "point": ".", "e": "e"}
    follow = {
        "begin": {"sign": "signed", "digit": "whole", "point": "point"},
        "signed": {"digit": "whole", "point": "point"},
        "whole": {"digit": "whole", "point": "fraction", "e": "exponent"},
        "point": {"digit": "fraction"},
        "fraction": {"digit": "fraction", "e": "exponent"},
        "exponent": {"sign": "signed exponent", "digit": "power"},
        "signed exponent": {"digit": "power"},
        "power": {"digit": "power"},
        "error": {},
    }
    table = {
        (q, s): then.get(kind, "error")
        for q, then in follow.items()
        for kind, some in classes.items()
        for s in some
    }
    return Automaton("begin", ["whole", "fraction", "power"], table)


def main() -> None:
    parser = argparse.ArgumentParser(description="A finite automaton computed by a tanh network.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--divisor", default="7", help="accept binary numbers divisible by this (7)")
    which.add_argument("--parity", action="store_true", help="accept words with an odd number of ones")
    which.add_argument("--number", action="store_true", help="accept numbers such as 6.02e+23")
    parser.add_argument("word", nargs="?", help="the word to read")
    options = parser.parse_args()
    if not (options.divisor.isascii() and options.divisor.isdigit() and 1 <= int(options.divisor) <= 1000):
        parser.exit(
            2, f"{parser.prog}: --divisor: expected a number from 1 to 1000, got {options.divisor!r}\n"
        )
    if options.number:
        name, automaton, word = "number", number(), "6.02e+23"
    elif options.parity:
        name, automaton, word = "parity", parity(), "110101"
    else:
        name, automaton, word = (
            f"divisible by {options.divisor}",
            divisible_by(int(options.divisor)),
            "110101",
        )
    word = word if options.word is None else options.word

    network = AutomatonNetwork(automaton)
    try:
        answer = network.accepts(word)
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    if answer != automaton.accepts(word):
        parser.exit(1, "the direct simulation disagrees: this is a bug\n")
    weights = sum(np.count_nonzero(layer.parameters.flat) for layer in (network.rnn, network.output))
    print(f"automaton  {name}: {len(automaton.states)} states, {len(automaton.alphabet)} symbols")
    print(f"network    {network.rnn.hidden_size} units, {weights} nonzero weights, gain {network.gain:.3g}")
    print(
        f"tolerates  initial states off by {network.epsilon:.2g}, inputs by {network.eta:.2g} at every step, "
        f"weights by {network.delta:.2g}"
    )
    print(f"word       {word or '(empty)'}: {len(word)} steps")
    print(f"answer     {'accepted' if answer else 'rejected'}")


if __name__ == "__main__":
    main()
