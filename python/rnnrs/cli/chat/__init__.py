"""`rnnrs chat`: chatbots."""

from __future__ import annotations

from ..common import Parser, add_verb, add_verbs
from . import talk, teaching, train, verbs
from .files import FORMS

_EVALUATE = (
    FORMS
    + """
Prints the perplexity of the recorded answers, and the share of the bot's own answers that are right: those whose
words have an F1 of at least 0.5 with a recorded answer.

examples:
  rnnrs chat evaluate bot.rnn held-out.jsonl
  rnnrs chat evaluate hotel.rnn test.tsv --acts        slot errors instead
  rnnrs chat evaluate guide.rnn annotated.json         an assistant over a table
"""
)
_TALK = """\
At a terminal, a conversation: /reset forgets it, /quit or Ctrl-D ends it, /help shows all commands. Otherwise, an
answer for each line of standard input; earlier lines are part of the conversation, and an empty line (or /reset)
starts a new one.

The bot can be taught by lines of their own: /teach ANSWER after a turn, or /teach TURN => ANSWER; /wrong marks the
last answer as wrong, /undo takes the last of these back. All of it goes to the log beside the model's file. It is
believed with --allow-teaching, or once it is accepted.

examples:
  rnnrs chat talk bot.rnn
  rnnrs chat talk bot.rnn --allow-teaching
  rnnrs chat talk bot.rnn --threshold 0.5 < questions.txt
  rnnrs chat talk bot.rnn --json < questions.txt       with confidence
  rnnrs chat talk guide.rnn --json                     an assistant: with act, state and row
"""
_TEACH = (
    FORMS
    + """
Teaches the last answer of each dialogue, as the bot's owner: it is given at once, to the same turn and to similar
ones. What was taught is kept in a file beside the model's, MODEL.taught.jsonl.

examples:
  rnnrs chat teach bot.rnn opening-hours.tsv
"""
)
_LEARN = """\
The network learns what was taught, and rehearses what it knew before. The bot goes to another file, with its log, so
that the one before is still there. An interrupted command changes nothing.

examples:
  rnnrs chat learn bot.rnn -o learned.rnn
  rnnrs chat learn bot.rnn -o learned.rnn --rehearse dialogues.jsonl
"""
_LOG = """\
Prints who said what when, a line for each entry, which begins with its ID. What users have said waits until it is
accepted. An undone entry stays in the log; it has no effect any more.

examples:
  rnnrs chat log bot.rnn
  rnnrs chat log bot.rnn --accept 3f9a1c20
  rnnrs chat log bot.rnn --export taught.jsonl
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
    add_verb(found, "talk", "talk to a bot", _TALK, talk.add, talk.run)
    add_verb(found, "teach", "teach a bot answers", _TEACH, teaching.add_teach, teaching.teach)
    add_verb(found, "learn", "learn what was taught", _LEARN, teaching.add_learn, teaching.learn)
    add_verb(found, "log", "show what was taught by whom", _LOG, teaching.add_log, teaching.log)
    add_verb(found, "rank", "rank given answers", _RANK, verbs.add_rank, verbs.rank)
    add_verb(found, "speak", "turn dialogue acts into sentences", _SPEAK, verbs.add_speak, verbs.speak)
    add_verb(found, "tune", "tune the threshold of canned answers", _TUNE, verbs.add_tune, verbs.tune)
