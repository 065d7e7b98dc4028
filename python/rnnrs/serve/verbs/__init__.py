"""What served models do: one file for each verb, and the table of all."""

from __future__ import annotations

from .describe import DESCRIBE
from .forecast import FORECAST
from .score import SCORE
from .sequences import CLASSIFY, TAG
from .suggest import SUGGEST
from .summarize import EXTRACT, WRITTEN_SUMMARY
from .translate import TRANSLATE
from .verb import Verb

#: All verbs with a path of their own. A new one adds a file and a line; routes and OpenAPI follow.
ALL: tuple[Verb, ...] = (
    SUGGEST,
    SCORE,
    TRANSLATE,
    WRITTEN_SUMMARY,
    EXTRACT,
    DESCRIBE,
    *CLASSIFY,
    *TAG,
    FORECAST,
)

__all__ = ["ALL", "Verb"]
