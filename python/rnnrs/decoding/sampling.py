"""The settings by which tokens are sampled."""

from __future__ import annotations

import math
from dataclasses import InitVar, dataclass


@dataclass(frozen=True)
class Sampling:
    """The settings of sampled text; see `models.LanguageModel.generate`.

    Attributes:
        length: the number of tokens, at most.
        temperature: below 1 sharper, above 1 flatter; 0 always takes the likeliest token.
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
        checks = (
            ("length", self.length >= 0, "a whole number from 0", self.length),
            ("temperature", 0 <= self.temperature < math.inf, "a finite number from 0", self.temperature),
            ("top_k", self.top_k >= 0, "a whole number from 0", self.top_k),
            ("top_p", 0 < self.top_p <= 1, "a number above 0, at most 1", self.top_p),
            ("seed", self.seed is None or self.seed >= 0, "a whole number from 0", self.seed),
        )
        for name, fits, expected, got in checks:
            if not fits:
                raise ValueError(f"{op}: {name}: expected {expected}, got {got}")
