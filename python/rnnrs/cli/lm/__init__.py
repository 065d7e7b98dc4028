"""`rnnrs lm`: language models."""

from __future__ import annotations

from ..common import Parser, add_verb, add_verbs
from . import inspection, texts, train, verbs

_EVALUATE = """\
examples:
  rnnrs lm evaluate letters.rnn held-out.txt
  rnnrs lm evaluate letters.rnn held-out.txt --json
"""
_SCORE = """\
Prints ln P of each sentence, its end included, and the sentence. With --after, prints ln P of each text that may
follow, without its end, its share among them, and the text.

examples:
  rnnrs lm score letters.rnn "I love you." "Love you I."
  rnnrs lm score letters.rnn --json < sentences.txt      the probability of every token
  rnnrs lm score letters.rnn --after "I want to" "go home" "eat"
"""
_SUGGEST = """\
After a space, suggests the next words; after a letter, completions of the word being typed.

examples:
  rnnrs lm suggest letters.rnn "I want to "
  rnnrs lm suggest letters.rnn "I want to g" --n-best 5
  rnnrs lm suggest letters.rnn                 line by line, from the keyboard or a pipe
"""
_GENERATE = """\
examples:
  rnnrs lm generate letters.rnn --prompt "Dear " --length 500
  rnnrs lm generate letters.rnn --temperature 0.7 --top-p 0.9 --seed 1
  rnnrs lm generate letters.rnn --prompt "I think" --stop "\\n"     up to the end of the line
"""


def add(group: Parser) -> None:
    """Adds the verbs."""
    found = add_verbs(group)
    add_verb(found, "train", "train a language model on texts", train.EPILOG, train.add, train.run)
    add_verb(found, "prepare", "prepare a large text on disk", texts.EPILOG, texts.add, texts.run)
    add_verb(
        found,
        "evaluate",
        "measure how well a model predicts texts",
        _EVALUATE,
        verbs.add_evaluate,
        verbs.evaluate,
    )
    add_verb(found, "score", "score sentences by their probability", _SCORE, verbs.add_score, verbs.score)
    add_verb(
        found,
        "suggest",
        "suggest words, as a phone's keyboard does",
        _SUGGEST,
        verbs.add_suggest,
        verbs.suggest,
    )
    add_verb(found, "generate", "generate text", _GENERATE, verbs.add_generate, verbs.generate)
    add_verb(
        found,
        "inspect",
        "find units that follow quotes, brackets, lines, words, capitals",
        inspection.EPILOG,
        inspection.add,
        inspection.run,
    )
