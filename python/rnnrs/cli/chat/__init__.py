"""`rnnrs chat`: chatbots."""

from __future__ import annotations

from ..common import Parser, add_verb, add_verbs
from . import train, verbs
from .files import FORMS

_EVALUATE = (
    FORMS
    + """
Prints the perplexity of the recorded answers, and the share of the bot's own answers that are right: those whose
words have an F1 of at least 0.5 with a recorded answer.

examples:
  rnnrs chat evaluate bot.rnn held-out.jsonl
  rnnrs chat evaluate hotel.rnn test.tsv --acts        slot errors instead
"""
)
_TALK = """\
At a terminal, a conversation: /reset forgets it, /quit or Ctrl-D ends it. Otherwise, an answer for each line of
standard input; earlier lines are part of the conversation, and an empty line (or /reset) starts a new one.

examples:
  rnnrs chat talk bot.rnn
  rnnrs chat talk bot.rnn --threshold 0.5 < questions.txt
  rnnrs chat talk bot.rnn --json < questions.txt       with confidence
"""
_RANK = """\
Prints score and answer, the best first.

examples:
  rnnrs chat rank bot.rnn "Where is it?" "In the center." "It serves Indian food."
"""
_SPEAK = """\
For a bot that was trained with --acts: prints a sentence for each dialogue act.

examples:
  rnnrs chat speak hotel.rnn "inform(name='metro hotel';area='soma')"
  rnnrs chat speak hotel.rnn < acts.txt
"""
_TUNE = """\
Finds the confidence below which a canned answer is better, on dialogues that the bot was not trained on, and
writes it to the model's file.

examples:
  rnnrs chat tune bot.rnn held-out.jsonl
  rnnrs chat tune bot.rnn held-out.jsonl --unanswerable other-texts.txt
"""


def add(group: Parser) -> None:
    """Adds the verbs."""
    found = add_verbs(group)
    add_verb(found, "train", "train a chatbot on dialogues", train.EPILOG, train.add, train.run)
    add_verb(
        found,
        "evaluate",
        "measure how well a bot answers",
        _EVALUATE,
        verbs.add_evaluate,
        verbs.evaluate,
    )
    add_verb(found, "talk", "talk to a bot", _TALK, verbs.add_talk, verbs.talk)
    add_verb(found, "rank", "rank given answers", _RANK, verbs.add_rank, verbs.rank)
    add_verb(found, "speak", "turn dialogue acts into sentences", _SPEAK, verbs.add_speak, verbs.speak)
    add_verb(found, "tune", "tune the threshold of canned answers", _TUNE, verbs.add_tune, verbs.tune)
