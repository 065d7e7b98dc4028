"""`rnnrs lm`: language models, trained, judged and used."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import inspection, train
from .common import VerbParser, input_lines, print_json, real, whole

if TYPE_CHECKING:
    from ..models import LanguageModel
    from ..models.language.scoring import SentenceScore
    from ..models.language.suggestion import Suggestion

_EVALUATE = """\
examples:
  rnnrs lm evaluate letters.rnn held-out.txt
  rnnrs lm evaluate letters.rnn held-out.txt --json
"""
_SCORE = """\
prints ln P of each sentence, its end included, and the sentence

examples:
  rnnrs lm score letters.rnn "I love you." "Love you I."
  rnnrs lm score letters.rnn --json < sentences.txt      every token's probability
"""
_SUGGEST = """\
After a space, the next words; after a letter, completions of the word being typed.

examples:
  rnnrs lm suggest letters.rnn "I want to "
  rnnrs lm suggest letters.rnn "I want to g" -k 5
  rnnrs lm suggest letters.rnn                 line by line, from the keyboard or a pipe
"""
_GENERATE = """\
examples:
  rnnrs lm generate letters.rnn --prompt "Dear " --length 500
  rnnrs lm generate letters.rnn --temperature 0.7 --top-p 0.9 --seed 1
  rnnrs lm generate letters.rnn --prompt "I think" --stop "\\n"     up to the end of the line
"""


def add(commands: Any) -> None:
    """Adds the group to the parser."""
    group = commands.add_parser(
        "lm", help="language models: train, evaluate, score, suggest, generate, inspect"
    )
    verbs = group.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=VerbParser)
    train.add(verbs)

    verb = _verb(verbs, "evaluate", "how well a model predicts texts", _EVALUATE, _evaluate)
    verb.add_argument("files", metavar="FILE", nargs="+", help="a text, UTF-8")
    verb.add_argument("--json", action="store_true", help="as JSON")

    verb = _verb(verbs, "score", "how likely sentences are", _SCORE, _score)
    verb.add_argument(
        "sentences", metavar="SENTENCE", nargs="*", help="a sentence; without any, lines are read"
    )
    verb.add_argument("--json", action="store_true", help="as JSON, one object a line")

    verb = _verb(verbs, "suggest", "suggest words, as a phone's keyboard does", _SUGGEST, _suggest)
    verb.add_argument(
        "text", metavar="TEXT", nargs="*", help="what has been typed; without it, lines are read"
    )
    verb.add_argument("-k", type=whole(1), default=3, help="how many words (%(default)s)")
    verb.add_argument("--json", action="store_true", help="as JSON, one list a line")

    verb = _verb(verbs, "generate", "let a model write", _GENERATE, _generate)
    verb.add_argument("--prompt", default="", metavar="TEXT", help="what the text begins with")
    verb.add_argument("--length", type=whole(0), default=400, help="tokens to write (%(default)s)")
    verb.add_argument(
        "--temperature", type=real(0), default=1.0, help="lower: safer, higher: wilder (%(default)s)"
    )
    verb.add_argument("--top-k", type=whole(0), default=0, help="draw among the K likeliest; 0: all")
    verb.add_argument(
        "--top-p", type=real(0, 1, above=True), default=1.0, help="draw among the likeliest of this share"
    )
    verb.add_argument("--seed", type=whole(0), help="the same seed writes the same text")
    verb.add_argument("--stop", action="append", metavar="TEXT", help="stop before this; may be repeated")
    inspection.add(verbs)


def _verb(verbs: Any, name: str, summary: str, epilog: str, run: Any) -> Any:
    verb = verbs.add_parser(name, help=summary, description=summary.capitalize() + ".", epilog=epilog)
    verb.add_argument("model", metavar="MODEL", help="a model's file")
    verb.set_defaults(run=run)
    return verb


def _load(path: str) -> LanguageModel:
    from ..models import LanguageModel

    return LanguageModel.load(path)


def _evaluate(arguments: argparse.Namespace) -> int:
    from ..text import read_text

    model = _load(arguments.model)
    result = model.evaluate(read_text(*arguments.files))
    if arguments.json:
        print_json(
            {
                "files": arguments.files,
                "tokens": result.tokens,
                "characters": result.characters,
                "unknown": result.unknown,
                "nats": _finite(result.nats),
                "nats_per_token": _finite(result.nats_per_token),
                "perplexity": _finite(result.perplexity),
                "nats_per_character": _finite(result.nats_per_character),
                "bits_per_character": _finite(result.bits_per_character),
            }
        )
        return 0
    unknown = f", {result.unknown / result.tokens:.1%} of them unknown" if result.unknown else ""
    print(f"perplexity          {result.perplexity:.3f}")
    print(f"nats per token      {result.nats_per_token:.4f}")
    print(f"nats per character  {result.nats_per_character:.4f}")
    print(f"bits per character  {result.bits_per_character:.4f}")
    print(f"tokens              {result.tokens:,}{unknown}")
    return 0


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None


def _score(arguments: argparse.Namespace) -> int:
    model = _load(arguments.model)
    for sentence in arguments.sentences or input_lines():
        score = model.log_prob(sentence)
        if arguments.json:
            print_json(_score_facts(sentence, score))
        else:
            print(f"{score.total:.4f}\t{sentence}")
        sys.stdout.flush()
    return 0


def _score_facts(sentence: str, score: SentenceScore) -> dict[str, Any]:
    tokens = [
        {"token": token, "log_prob": _finite(log_prob), "probability": math.exp(log_prob)}
        for token, log_prob in zip(score.tokens, score.log_probs.tolist(), strict=True)
    ]
    return {
        "sentence": sentence,
        "log_prob": _finite(score.total),
        "perplexity": _finite(score.perplexity),
        "tokens": tokens,
    }


def _suggest(arguments: argparse.Namespace) -> int:
    model = _load(arguments.model)
    stepper = model.stepper()
    single = bool(arguments.text)
    texts: Iterable[str] = [" ".join(arguments.text)] if single else input_lines()
    for text in texts:
        words = model.suggest(text, arguments.k, stepper=stepper)
        print("\n".join(_suggestion_lines(words, arguments.json, single)), flush=True)
    return 0


def _suggestion_lines(words: list[Suggestion], as_json: bool, single: bool) -> list[str]:
    """One line for each word where one text was asked about, else one line for each text."""
    if as_json:
        import json

        facts = [{"word": s.word, "probability": s.probability} for s in words]
        return [json.dumps(facts, ensure_ascii=False)]
    if single:
        return [f"{s.probability:.4f}\t{s.word}" for s in words]
    return ["\t".join(s.word for s in words)]


def _generate(arguments: argparse.Namespace) -> int:
    model = _load(arguments.model)
    pieces = model.stream(
        arguments.prompt,
        length=arguments.length,
        temperature=arguments.temperature,
        top_k=arguments.top_k,
        top_p=arguments.top_p,
        seed=arguments.seed,
        stop=[text.replace("\\n", "\n") for text in arguments.stop or ()],
    )
    print(arguments.prompt, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print(flush=True)
    return 0
