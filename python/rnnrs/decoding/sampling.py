"""The settings by which tokens are sampled."""

from __future__ import annotations

import math
from dataclasses import InitVar, dataclass

from ..checks import check_number, check_size, sampling_temperature


@dataclass(frozen=True)
class Sampling:
    """The settings of sampled text; see `models.LanguageModel.generate`.

    Attributes:
        length: the number of tokens, at most.
        temperature: below 1 sharper, above 1 flatter; 0, or below 1e-20, always takes the likeliest token, of
            several the one with the lowest id.
        top_k: sample among the k likeliest tokens only; 0 for all.
        top_p: sample among the likeliest tokens that together reach this probability (Holtzman et al. 2020).
        seed: the same seed gives the same text; None for another one each time.
        op: the caller's name, for error messages; not an attribute.

    Raises:
        ValueError: for a setting outside its range.
    """

    length: int = 200
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None
    op: InitVar[str] = "Sampling"

    def __post_init__(self, op: str) -> None:
        counts = ("length", "top_k") if self.seed is None else ("length", "top_k", "seed")
        found: dict[str, float] = {
            name: check_size(op, name, getattr(self, name), least=0) for name in counts
        }
        found["top_k"] = min(found["top_k"], 2**31)  # there are never so many tokens
        expected, given = "a finite number from 0", self.temperature
        temperature = check_number(op, "temperature", given, expected, lambda x: 0 <= x < math.inf)
        found["temperature"] = sampling_temperature(temperature)
        expected = "a number above 0, at most 1"
        found["top_p"] = check_number(op, "top_p", self.top_p, expected, lambda x: 0 < x <= 1)
        for name, value in found.items():
            object.__setattr__(self, name, value)
