"""The texts of `rnnrs lm`: in memory if they are small, else a corpus on disk; `rnnrs lm prepare`."""

from __future__ import annotations

import argparse
import os
import shlex
import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from ...reading import STANDARD_INPUT
from ..common import (
    CommandError,
    add_encoding,
    add_force,
    add_json,
    communicator_of,
    print_json,
    rank_of,
    reads,
    say,
)
from ..options import VOCABULARY, add_vocabulary, defaults_of, given, vocabulary_given

if TYPE_CHECKING:
    from ...data import Corpus
    from ...text import Vocabulary

EPILOG = """\
A corpus is a folder with the text as token ids. It is trained on without being read into memory, and can be used
by any number of runs. Memory does not grow with the text. A preparation that was stopped goes on with the same
command. Texts may be compressed by gzip, or by zstd with pip install "rnnrs[zstd]".

examples:
  rnnrs lm prepare *.txt -o corpus --level word
  zcat crawl/*.gz | rnnrs lm prepare - -o corpus
  rnnrs lm train corpus -o model.rnn
  rnnrs lm prepare news.txt.zst -o news --from model.rnn     with the vocabulary of a model
  rnnrs lm evaluate model.rnn news
"""

#: The number of characters from which a text is read from disk.
LARGE = 1 << 25

#: Seconds between two lines about the progress.
_EVERY = 5.0


def add(verb: Any) -> None:
    """Adds the arguments of `prepare`."""
    from ...models import LanguageModel

    add_texts(verb)
    add_encoding(verb)
    verb.add_argument("-o", "--output", metavar="FOLDER", required=True, help="the corpus, to be written")
    add_force(verb)
    verb.add_argument("--quiet", action="store_true", help="no progress, no advice")
    add_json(verb, "what was prepared as JSON")
    group = verb.add_argument_group("vocabulary")
    add_vocabulary(group, LanguageModel, LanguageModel.from_text)
    reads(group.add_argument("--from", metavar="MODEL", help="the vocabulary of this model"))


def add_texts(verb: Any, instead: str = "") -> None:
    """Adds the arguments that name texts, or what may be there `instead`."""
    doc = f"a text; several are read one after the other; -: standard input{instead}"
    reads(verb.add_argument("files", metavar="FILE", nargs="+", help=doc))


def run(arguments: argparse.Namespace) -> int:
    """Prepares a corpus, and prints what it holds."""
    from ...models import LanguageModel

    path, level, vocabulary = getattr(arguments, "from"), level_of(arguments), None
    if path is not None:
        if names := [*given(arguments, ["level", *VOCABULARY])]:
            raise CommandError(f"--{names[0].replace('_', '-')}: has no meaning with --from")
        vocabulary = LanguageModel.load(path).vocabulary
    else:
        options = vocabulary_given(arguments, LanguageModel, level)
    corpus = _prepared(
        arguments,
        arguments.output,
        files=arguments.files,
        level=level,
        vocabulary=vocabulary or options,
        force=arguments.force,
    )
    facts = {name: getattr(corpus, name) for name in ("tokens", "characters", "lines", "undercount")}
    if arguments.json:
        print_json({"corpus": arguments.output, "vocabulary": len(corpus.vocabulary), **facts})
    else:
        print(
            f"{arguments.output}: {corpus.tokens:,} tokens, {len(corpus.vocabulary):,} different ones, "
            f"{corpus.characters:,} characters, {corpus.lines:,} lines"
        )
    say(f"next: rnnrs lm train {shlex.quote(arguments.output)} -o model.rnn", arguments.quiet)
    return 0


def level_of(arguments: argparse.Namespace) -> str:
    """Returns the level of the vocabulary that the options ask for."""
    from ...models import LanguageModel

    level: str = (defaults_of(LanguageModel.from_text) | given(arguments, ["level"]))["level"]
    return level


def read(
    arguments: argparse.Namespace,
    files: Sequence[str],
    folder: str,
    vocabulary: Vocabulary | Callable[[], dict[str, Any]],
    level: str = "char",
) -> str | Corpus:
    """Returns a text, or a corpus: the one that is named, or a new one of a text that is large.

    Args:
        arguments: the command line.
        files: the texts, or one corpus.
        folder: where the corpus of a large text is written.
        vocabulary: the vocabulary of the model, or the options of a new one.
        level: the level of a new one.

    Raises:
        CommandError: for a corpus among other files.
    """
    from ...data import Corpus
    from ...text import text_parts

    if any(map(os.path.isdir, files)):
        if len(files) > 1:
            raise CommandError(f"expected texts or one corpus, got {', '.join(files)}")
        if callable(vocabulary) and (names := [*given(arguments, ["level", *VOCABULARY])]):
            raise CommandError(
                f"--{names[0].replace('_', '-')}: has no meaning with a corpus: it has a vocabulary"
            )
        return Corpus(files[0])
    own = vocabulary() if callable(vocabulary) else vocabulary
    source: dict[str, Any] = {"files": files}
    # Of processes that train together, only the first has a standard input: the others read its corpus.
    if STANDARD_INPUT not in files or communicator_of(arguments) is None:
        parts, found, size = text_parts(*files, encoding=arguments.encoding), list[str](), 0
        for part in parts:
            found.append(part)
            size += len(part)
            if size > LARGE:
                break
        else:
            return "".join(found)
        if STANDARD_INPUT in files:
            source = {"texts": chain(found, parts)}
        del found
    say(f"rnnrs: a large text: it is prepared in {folder}, and read from there", _is_quiet(arguments))
    return _prepared(arguments, folder, level=level, vocabulary=own, force=True, **source)


def _prepared(
    arguments: argparse.Namespace, folder: str, *, files: Sequence[str] = (), **options: Any
) -> Corpus:
    """Returns a corpus that is prepared now, by the first of the processes that train together."""
    from ...data import Corpus, prepare_corpus
    from ...train.ranks import Ranks

    tell = None if _is_quiet(arguments) else _Progress()
    with Ranks("lm train", communicator_of(arguments)).together():
        if not rank_of(arguments):
            prepare_corpus(folder, *files, encoding=arguments.encoding, tell=tell, **options)
    corpus = Corpus(folder)
    if corpus.undercount:
        say(
            f"rnnrs: {folder}: more than ten million different words: the rarest were dropped while they were "
            f"counted; counts may be too low by up to {corpus.undercount:,}"
        )
    return corpus


def _is_quiet(arguments: argparse.Namespace) -> bool:
    """Returns whether nothing is said but the result; `evaluate` always does so."""
    return bool(getattr(arguments, "quiet", True))


class _Progress:
    """Says now and then how much of the text has been read."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, name: str, characters: int) -> None:
        if time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            say(f"{name}: {characters / 1e6:,.0f} million characters")
