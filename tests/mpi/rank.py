"""One rank of a test: notes its process, fails where it is told to, and runs commands.

Usage: rank.py FOLDER COMMANDS [RANK PLACE]; PLACE is "start": that rank does not begin to train, "step": its third step
fails, or "sum": the third step fails when the sum of the output layer's gradient is on its way.
"""

import json
import os
import sys
from pathlib import Path

from rnnrs.cli import main
from rnnrs.launcher import rank_in_environment


def fail_at(place):
    """Makes this rank fail."""
    from rnnrs.models import LanguageModel
    from rnnrs.models.language import network

    target, name, calls = {
        "start": (LanguageModel, "fit", 1),
        "step": (network.LanguageNetwork, "learn_runs", 3),
        "sum": (network, "backward_runs", 3),
    }[place]
    works, left = getattr(target, name), [None] * calls

    def fails_at_last(*arguments, **options):
        left.pop()
        if not left:
            raise OSError(f"this rank fails at its {place}")
        return works(*arguments, **options)

    setattr(target, name, fails_at_last)


folder, commands, *place = sys.argv[1:]
own = rank_in_environment()
Path(folder, f"{own}.process").write_text(str(os.getpid()))
if place and int(place[0]) == own:
    fail_at(place[1])
codes = [main(words) for words in json.loads(commands)]
sys.exit(next((code for code in codes if code), 0))
