"""The errors of forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...shown import short_repr
from ...types import Array
from .scaling import mean_magnitude


@dataclass(frozen=True)
class ForecastEvaluation:
    """The errors of forecasts, and those of the seasonal naïve forecast, which repeats the last season.

    Attributes:
        columns: the columns' names.
        mae, rmse: (S, I), mean absolute error and root mean squared error of each step ahead.
        naive_mae, naive_rmse: (S, I), those of the seasonal naïve forecast.
        season: m, the number of steps after which the naïve forecast repeats itself.
        origins: the number of steps from which forecasts were made.
    """

    columns: tuple[str, ...]
    mae: Array
    rmse: Array
    naive_mae: Array
    naive_rmse: Array
    season: int
    origins: int

    __repr__ = short_repr

    @property
    def skill(self) -> Array:
        """1 − MAE / naïve MAE (I,), over all steps ahead: 1 is perfect, 0 as good as the naïve forecast."""
        naive = mean_magnitude(self.naive_mae, 0)
        skill: Array = 1.0 - mean_magnitude(self.mae, 0) / np.where(naive > 0, naive, np.nan)
        return skill
