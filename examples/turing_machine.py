"""Compiles a Turing machine into a recurrent network: h_t = σ(b + W h_{t−1} + U x_t), where σ clamps to 0..1.

Two units hold the tape; all others are 0 or 1. W does the rest. This is the construction of Siegelmann and
Sontag (1995, "On the computational power of neural nets", JCSS 50), with two steps of the network per step
of the machine. docs/what-nets-can-compute.md explains it in detail.

    python examples/turing_machine.py increment 1011
    python examples/turing_machine.py palindrome abba

**The tape is two stacks**: the symbols on the left of the head, the nearest on top, and the symbols on its
right. With the symbols as digits 0 … k−1, the blank being 0, a stack with s₁ on top is the number 0.s₁s₂s₃…
in a base β = 2^m > k:

    l = Σ_i s_i β^−i,   0 ≤ l ≤ (k−1)/(β−1).

Infinitely many blanks are infinitely many zeros, so there is no empty stack to distinguish. No digit is
β−1, so these numbers form a Cantor set: with a top of at most j−1, βl ≤ j − 1/(β−1); with a top of at least
j, βl ≥ j. A unit can detect that gap:

    top ≥ j  ⇔  T_j = σ(β(βl − j) + 1) = 1, and T_j = 0 otherwise;   s₁ = Σ_j T_j
    push s:  l ← (l + s)/β        pop:  l ← βl − s₁

For a blank and two symbols (k = 3), β = 4. Siegelmann and Sontag's digits 1 and 3 in base 4 leave 0 for
"empty". Here, 0 is the blank, so the third symbol costs nothing. With a power of two, every weight is a
small whole number, or one divided by β.

**First half of a step: the present.** Units P_(q,s) (the machine is in state q and reads s; exactly one is
1), the numbers l and r, and the T_j of both. **Second half: the next configuration.** σ(v + g − 1) is v if
g = 1, and 0 if g = 0: a gate. Each stack becomes three numbers

    pushed = σ((l + s)/β + g − 1),   popped = σ(βl − Σ_j T_j + g − 1),   kept = σ(l + g − 1),

with g, and s/β, sums over those P whose row of the table has that move. All but one of the three are 0, and
the next half step adds them up. Units A_(q,s,move) tell where a move arrives: σ(Σ P + T_s − T_{s+1} − 1)
for a pop that uncovers s. Then P = Σ_move A. A pair (q, s) without a row means: stay. A machine that has
halted is therefore a network that repeats itself. A network of zeros stays zero, so no clock is needed to
separate the two halves.

**The word is the input**, one symbol every two steps, as a 1 among the I inputs; it is pushed onto the left
stack. The last input means "now": it moves the head left, in a state of its own that continues left until a
blank and then starts the machine one cell to the right of it.

**Tape length: N = ⌊53/m⌋ symbols on either side of the head**, 26 for k = 3, counted up to the last that is
not blank. With no more than these, every unit is exact. A stack of n digits is a multiple of β^−n. In every
sum above, in any order of its terms:

- T_j: multiples of β^(2−n), partial sums below β² in absolute value: m·n bits;
- popped: multiples of β^(1−n), partial sums below β (since βl + 1 < β and Σ T_j + 1 ≤ k < β): m·n bits;
- kept, pushed, the sum of the three: multiples of β^−n, where a push has made n digits of n − 1; partial
  sums below 2: m·n + 1 bits.

m·n + 1 ≤ 53 for n ≤ N, since no m > 1 divides 53. Products are with powers of two, or with 0 or 1, and
exact, so it does not matter whether an engine fuses multiplication and addition. One more digit takes
m(N + 1) > 53 bits between 1 and its last digit, and `TuringNetwork` refuses: before it reads a word of more
than N symbols, and during the run as soon as an exact configuration with N symbols on a side shows that one
more will be pushed onto them. Until then, their gate is closed: l/β − 1 is below 0 however it is rounded,
and so becomes 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
from turing import MACHINES, Configuration, Machine, Row, last, simulate

from rnnrs import nn

#: The constant that the bias multiplies; the last input; the state that seeks the beginning of the word.
ONE, GO, REWIND = ("one", "go", "")
BITS = np.finfo(np.float64).nmant + 1  #: the significant bits of a float64: 53
PARTS = ("pushed", "popped", "kept")
STEPS = 128  #: the machine's steps per call of the network

Wires = dict[Any, list[tuple[float, Any]]]  #: unit → the terms of its sum, (weight, unit or input or `ONE`)


def whole_table(machine: Machine) -> dict[tuple[str, str], Row]:
    """Returns a row for every pair of state and symbol, with `REWIND`, and "stay" where the machine halts."""
    table = {(q, s): (q, s, "S") for q in machine.states for s in machine.symbols} | machine.table
    table |= {(REWIND, s): (REWIND, s, "L") for s in machine.symbols}
    table[REWIND, machine.blank] = (machine.start, machine.blank, "R")
    return table


def stack_wires(
    side: str, moves: str, table: dict[tuple[str, str], Row], symbols: list[str], base: int
) -> Wires:
    """Returns the wires of one stack; `moves` are the move that pushes onto it and the move that pops it."""
    push, pop = moves
    digit = {symbol: i for i, symbol in enumerate(symbols)}
    parts, stack = [(side, part) for part in PARTS], (side, "stack")
    tops = [(side, "top", j) for j in range(1, len(symbols))]
    says = {move: [pair for pair, row in table.items() if row[2] == move] for move in "LRS"}
    wires: Wires = {stack: [(1, part) for part in parts]}
    for j, top in enumerate(tops, 1):
        wires[top] = [(base**2, part) for part in parts] + [(1 - base * j, ONE)]
    pushed, popped, kept = parts
    written = [(1 + digit[table[pair][1]] / base, pair) for pair in says[push]]
    wires[pushed] = [(-1, ONE), (1 / base, stack), *written]
    wires[popped] = [
        (-1, ONE),
        (base, stack),
        *((-1, top) for top in tops),
        *((1, pair) for pair in says[pop]),
    ]
    wires[kept] = [(-1, ONE), (1, stack), *((1, pair) for pair in says["S"])]
    return wires


def control_wires(table: dict[tuple[str, str], Row], symbols: list[str]) -> Wires:
    """Returns the wires of the states: P, named (state, symbol), and A, named (state, symbol, move)."""
    wires: Wires = {pair: [] for pair in table}
    for pair, (then, written, move) in table.items():
        uncovered = {"L": "left", "R": "right"}.get(move)
        for i, symbol in enumerate(symbols):
            if uncovered is None and symbol != written:
                continue
            arrival = (then, symbol, move)
            if arrival not in wires:
                wires[then, symbol].append((1, arrival))
                wires[arrival] = [] if uncovered is None else top_is(i, uncovered, len(symbols))
            wires[arrival].append((1, pair))
    return wires


def top_is(digit: int, side: str, k: int) -> list[tuple[float, Any]]:
    """Returns terms that sum to 0 if the stack's top is this digit, else to −1.

    They are T_s − T_{s+1} − 1, with T_0 = 1 and T_k = 0.
    """
    terms = [(1, (side, "top", digit)), (-1, ONE)] if digit > 0 else []
    return [*terms, (-1, (side, "top", digit + 1))] if digit + 1 < k else terms


class TuringNetwork:
    """A Turing machine compiled into an `nn.RNN`.

    Args:
        machine: the machine to compile.

    Attributes:
        rnn: the network: U (H, k), W (H, H), b (H), in float64. Input j < k − 1 is the symbol j + 1, the last
            one "now".
        units: H names: (state, symbol), (state, symbol, move), ("left" or "right", part, …).
        base, limit: β, and N, the largest number of symbols on either side of the head.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine, symbols = machine, machine.symbols
        bits = len(symbols).bit_length()
        self.base, self.limit = 2**bits, BITS // bits
        self.table = whole_table(machine)
        wires = control_wires(self.table, symbols)
        wires |= stack_wires("left", "RL", self.table, symbols, self.base)
        wires |= stack_wires("right", "LR", self.table, symbols, self.base)
        wires["left", "pushed"] += [(1 + i / self.base, s) for i, s in enumerate(symbols) if i > 0]
        # "now" moves the head to the left, into REWIND.
        for unit in [("left", "popped"), *((REWIND, s, "L") for s in symbols)]:
            wires[unit].append((1, GO))
        self.units = list(wires)
        self.rnn = nn.RNN(len(symbols), len(wires), activation="saturated_linear", dtype=np.float64)
        self._fill(wires, [*symbols[1:], GO])

    def _fill(self, wires: Wires, inputs: list[str]) -> None:
        p = self.rnn.parameters
        p.flat[...] = 0.0
        row = {unit: i for i, unit in enumerate(wires)}
        for unit, terms in wires.items():
            for weight, source in terms:
                if source == ONE:
                    p["b"][row[unit]] += weight
                elif source in inputs:
                    p["U"][row[unit], inputs.index(source)] += weight
                else:
                    p["W"][row[unit], row[source]] += weight

    def configurations(self, word: str) -> Iterator[Configuration]:
        """Yields every configuration from the first to the one in which the machine halts, if it ever does.

        Raises:
            ValueError: for a word that the machine cannot read.
            OverflowError: if the tape does not fit: immediately for a word that is too long, else instead
                of the configuration with more than `limit` symbols on a side of the head.
        """
        self.machine.check_word(word)
        self._check_side("the word", len(word))
        for h in self._steps(word):
            configuration = self.decode(h)
            if configuration.state == REWIND:
                continue
            yield configuration
            if self.machine.halted(configuration):
                return
            move = self.table[configuration.state, configuration.head][2]
            for side, pushes in (("left", "R"), ("right", "L")):
                stack = getattr(configuration, side)
                self._check_side(
                    f"the tape {side} of the head", len(stack) + (move == pushes and stack != "")
                )

    def _check_side(self, what: str, symbols: int) -> None:
        if symbols > self.limit:
            bits = self.base.bit_length() - 1
            raise OverflowError(
                f"{self.machine.name}: {what}: expected at most {self.limit} symbols, each of {bits} of a "
                f"float64's {BITS} bits, got {symbols}"
            )

    def _steps(self, word: str) -> Iterator[np.ndarray]:
        """Yields h (H,) after each step of the machine, starting with `REWIND`, without end."""
        x = np.zeros((2 * len(word) + 1, 1, self.rnn.input_size))
        for i, symbol in enumerate(word):
            x[2 * i, 0, self.machine.symbols.index(symbol) - 1] = 1.0
        x[-1, 0, -1] = 1.0  # "now"
        silence = np.zeros((2 * STEPS, 1, self.rnn.input_size))
        h, cache = self.rnn.forward(x, gradient=False)
        yield h[-1, 0]
        while True:
            h, cache = self.rnn.forward(silence, cache.state, gradient=False)
            yield from h[1::2, 0]

    def decode(self, h: np.ndarray) -> Configuration:
        """Returns the configuration that h (H,) represents after a whole step."""
        value = dict(zip(self.units, h.tolist(), strict=True))
        ((state, head),) = [
            u[:2] for u in self.units if len(u) == 3 and u[2] in ("L", "R", "S") and value[u] == 1.0
        ]
        left, right = (self._symbols(sum(value[side, p] for p in PARTS)) for side in ("left", "right"))
        return Configuration(state, left[::-1], head, right)

    def _symbols(self, stack: float) -> str:
        """Returns the symbols of a stack from its top to the last one that is not blank."""
        number, digits = int(stack * self.base**self.limit), []
        while number:
            number, digit = divmod(number, self.base)
            digits.append(self.machine.symbols[digit])
        text = "".join(reversed(digits))
        return text.rjust(self.limit, self.machine.blank).rstrip(self.machine.blank) if text else ""


DEFAULTS = {"increment": "1011", "palindrome": "abba"}


def main() -> None:
    parser = argparse.ArgumentParser(description="A Turing machine computed by a recurrent network.")
    parser.add_argument(
        "machine", nargs="?", default="increment", help=f"one of {', '.join(MACHINES)} (increment)"
    )
    parser.add_argument("word", nargs="?", help="the initial content of its tape")
    options = parser.parse_args()
    if options.machine not in MACHINES:
        wrong = f"machine: expected one of {', '.join(MACHINES)}, got {options.machine!r}"
        parser.exit(2, f"{parser.prog}: {wrong}\n")
    machine = MACHINES[options.machine]()
    network = TuringNetwork(machine)
    word = DEFAULTS[options.machine] if options.word is None else options.word
    try:
        final, steps = last(network.configurations(word))
    except (ValueError, OverflowError, RuntimeError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    if (final, steps) != last(simulate(machine, word)):
        parser.exit(1, "the direct simulation disagrees: this is a bug\n")

    H, k, n = network.rnn.hidden_size, network.rnn.input_size, len(word)
    weights = np.count_nonzero(network.rnn.parameters.flat)
    print(f"machine  {machine.name}: {len(machine.states)} states, {k} symbols, {len(machine.table)} rows")
    print(f"network  {H} units, {k} inputs; {weights} nonzero weights, multiples of 1/{network.base}")
    print(f"tape     at most {network.limit} symbols on either side of the head")
    print(f"word     {word or '(empty)'}: read in {4 * n + 3} steps of the network")
    print(f"steps    {steps} of the machine, {2 * steps} of the network")
    print(f"halted   in the state: {final.state}")
    print(f"result   {(final.left + final.head + final.right).strip(machine.blank) or '(blank tape)'}")


if __name__ == "__main__":
    main()
