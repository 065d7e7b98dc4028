"""How far forecasts were off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...types import Array


@dataclass(frozen=True)
class ForecastEvaluation:
    """How far forecasts were off, beside those that repeat the last season.

    Attributes:
        columns: the quantities' names.
        mae, rmse: (S, I), the mean absolute error and the root of the mean squared one, for each step ahead.
        naive_mae, naive_rmse: (S, I), those of the seasonal naïve forecast.
        season: after how many steps that one repeats itself.
        origins: from how many places it was foretold.
    """

    columns: tuple[str, ...]
    mae: Array
    rmse: Array
    naive_mae: Array
    naive_rmse: Array
    season: int
    origins: int

    @property
    def skill(self) -> Array:
        """1 − MAE / MAE of the naïve forecast (I,), over all steps ahead: 1 is perfect, 0 no better than repeating."""
        naive = self.naive_mae.mean(axis=0)
        skill: Array = 1.0 - self.mae.mean(axis=0) / np.where(naive > 0, naive, np.nan)
        return skill
