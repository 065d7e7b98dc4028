"""Turing machines as tables, and a direct simulator against which the networks of `turing_machine.py` are
tested.

A machine has one tape, unlimited on both sides and blank except for a word, and one head, which starts on
the word's first symbol. A row of its table gives, for a state and the symbol under the head, the next
state, the symbol to write, and the move of the head: left (L), right (R) or none (S). Where there is no
row, the machine halts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

MOVES = {"L": -1, "R": 1, "S": 0}

Row = tuple[str, str, str]  #: next state, symbol to write, move


class Configuration(NamedTuple):
    """A machine between two steps, independent of its absolute position on the tape.

    Attributes:
        state: the state of the machine.
        left, head, right: the symbols on the left of the head, under it and on its right, in tape order,
            without the infinite blanks.
    """

    state: str
    left: str
    head: str
    right: str


class Machine:
    """A Turing machine.

    Args:
        start: the initial state.
        blank: the symbol of an empty cell; it cannot occur in a word.
        table: (state, symbol under the head) → (next state, symbol to write, move).
        name: the name in error messages.

    Attributes:
        states: all states, the initial one first.
        symbols: all symbols, the blank first.

    Raises:
        ValueError: for a state without a name, a symbol that is not one character, an unknown move, or if
            the blank is the only symbol.
    """

    def __init__(
        self, start: str, blank: str, table: Mapping[tuple[str, str], Row], *, name: str = "machine"
    ) -> None:
        self.start, self.blank, self.table, self.name = start, blank, dict(table), name
        states, symbols = [start], [blank]
        for (state, symbol), (then, written, move) in self.table.items():
            states += [state, then]
            symbols += [symbol, written]
            if move not in MOVES:
                raise ValueError(
                    f"Machine: table: expected a move L, R or S, got {move!r} of {state!r}, {symbol!r}"
                )
        self.states, self.symbols = list(dict.fromkeys(states)), list(dict.fromkeys(symbols))
        for symbol in self.symbols:
            if len(symbol) != 1:
                raise ValueError(f"Machine: table: expected symbols of one character, got {symbol!r}")
        if len(self.symbols) < 2:
            raise ValueError(f"Machine: table: expected a symbol besides the blank, got {blank!r} alone")
        if "" in self.states:
            raise ValueError("Machine: table: expected states with names, got ''")

    def halted(self, configuration: Configuration) -> bool:
        """Returns whether the table has no row for the configuration."""
        return (configuration.state, configuration.head) not in self.table

    def check_word(self, word: str) -> None:
        """Checks that a word can be the initial content of the tape.

        Raises:
            ValueError: for an unknown symbol, or a blank.
        """
        for symbol in word:
            if symbol not in self.symbols[1:]:
                expected = ", ".join(map(repr, self.symbols[1:]))
                raise ValueError(f"{self.name}: word: expected symbols among {expected}, got {symbol!r}")


def simulate(machine: Machine, word: str) -> Iterator[Configuration]:
    """Yields every configuration from the first to the one in which the machine halts, if it ever does.

    The tape is a dictionary from positions to symbols. It has nothing in common with the network.

    Raises:
        ValueError: for a word that the machine cannot read.
    """
    machine.check_word(word)
    tape, place, state = dict(enumerate(word)), 0, machine.start
    while True:
        read = tape.get(place, machine.blank)
        places = range(min([place, *tape]), max([place, *tape]) + 1)
        text = "".join(tape.get(i, machine.blank) for i in places)
        at = place - places.start
        left, right = text[:at].lstrip(machine.blank), text[at + 1 :].rstrip(machine.blank)
        yield Configuration(state, left, read, right)
        if (state, read) not in machine.table:
            return
        state, tape[place], move = machine.table[state, read]
        place += MOVES[move]


def last(configurations: Iterator[Configuration], max_steps: int = 100_000) -> tuple[Configuration, int]:
    """Returns the configuration in which a machine halts, and the number of steps.

    Raises:
        RuntimeError: if it has not halted after `max_steps`.
    """
    for step, configuration in enumerate(configurations):
        if step > max_steps:
            raise RuntimeError(f"last: max_steps: expected a machine that halts within {max_steps} steps")
        final = configuration, step
    return final


def increment() -> Machine:
    """Adds one to a binary number: moves to its end, then back while there is a carry."""
    return Machine(
        "seek the end",
        "_",
        {
            ("seek the end", "0"): ("seek the end", "0", "R"),
            ("seek the end", "1"): ("seek the end", "1", "R"),
            ("seek the end", "_"): ("carry", "_", "L"),
            ("carry", "1"): ("carry", "0", "L"),
            ("carry", "0"): ("done", "1", "S"),
            ("carry", "_"): ("done", "1", "S"),
        },
        name="increment",
    )


def palindrome() -> Machine:
    """Tests whether a word over a and b is a palindrome, and consumes it: halts in *yes* or *no*."""
    table: dict[tuple[str, str], Row] = {("first", "_"): ("yes", "_", "S")}
    for mine, other in ("ab", "ba"):
        table["first", mine] = (f"{mine}: to the end", "_", "R")
        table[f"{mine}: to the end", "_"] = (f"{mine}: compare", "_", "L")
        table[f"{mine}: compare", mine] = ("back", "_", "L")
        table[f"{mine}: compare", other] = ("no", other, "S")
        table[f"{mine}: compare", "_"] = ("yes", "_", "S")  # that was the middle symbol
    for passing in "ab":
        table["back", passing] = ("back", passing, "L")
        for carried in "ab":
            table[f"{carried}: to the end", passing] = (f"{carried}: to the end", passing, "R")
    table["back", "_"] = ("first", "_", "R")
    return Machine("first", "_", table, name="palindrome")


MACHINES = {"increment": increment, "palindrome": palindrome}


def main() -> None:
    """Prints every step for a short word."""
    for make, word in ((increment, "1011"), (palindrome, "aba")):
        machine = make()
        print(f"{machine.name} {word}")
        for state, left, head, right in simulate(machine, word):
            print(f"  {left + f'[{head}]' + right:<12}{state}")


if __name__ == "__main__":
    main()
