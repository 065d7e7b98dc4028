"""`rnnrs info`: the contents of a model's file."""

from __future__ import annotations

import argparse
import math
import os
from typing import Any

from .common import Parser, add_json, print_json, reads

_EXAMPLES = """\
examples:
  rnnrs info letters.rnn
  rnnrs info letters.rnn --json
"""

#: The vocabularies that a configuration may hold, and the tensors that have a row for each of their tokens.
_EMBEDDINGS = {
    "vocabulary": "embedding.E",
    "source_vocabulary": "source_embedding.E",
    "target_vocabulary": "target_embedding.E",
    "turn_vocabulary": "turn_embedding.E",
}
#: The tensor of both, where source and target share a vocabulary.
_SHARED = "target_embedding.E"


def add(info: Parser) -> None:
    """Adds the arguments."""
    info.description, info.epilog = "Shows the contents of a model's file, or of a corpus.", _EXAMPLES
    text = "a model's file, or a checkpoint of its training; or a corpus, whose files are verified"
    reads(info.add_argument("model", metavar="MODEL", help=text))
    add_json(info, "the same as JSON")
    info.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints kind, configuration, vocabularies and parameters; of a corpus, what it holds."""
    if os.path.isdir(arguments.model):
        return _corpus(arguments)
    facts = describe(arguments.model)
    if arguments.json:
        print_json(facts)
        return 0
    print(f"{facts['file']}: {facts['description']}, format {facts['version']}, {facts['bytes']:,} bytes")
    for name, value in facts["config"].items():
        print(f"  {name}: {_plain(value)}")
    print(f"parameters: {facts['parameter_count']:,}")
    for name, tensor in facts["parameters"].items():
        print(f"  {name} {tuple(tensor['shape'])} {tensor['dtype']}")
    for name, title in (
        ("run", "a checkpoint: training can continue from here"),
        ("finished_run", "trained until the end of its run, which --resume with more --epochs continues"),
    ):
        if facts[name] is not None:
            print(title)
            _print_run(facts[name])
    return 0


def _corpus(arguments: argparse.Namespace) -> int:
    """Verifies a corpus, and prints what it holds.

    Raises:
        OSError, FormatError: if it cannot be read, or is damaged.
    """
    from ..data import Corpus

    corpus = Corpus(arguments.model, verify=True)
    names = ("tokens", "characters", "lines", "sentence_like", "undercount")
    facts = {name: getattr(corpus, name) for name in names} | {"request": corpus.request}
    vocabulary = {"level": corpus.vocabulary.level, "size": len(corpus.vocabulary)}
    if arguments.json:
        print_json({"file": arguments.model, "kind": "corpus", "vocabulary": vocabulary, **facts})
        return 0
    print(f"{arguments.model}: a corpus (rnnrs lm); all files have their checksums")
    for name, value in {"vocabulary": vocabulary, **facts}.items():
        print(f"  {name}: {_plain(value)}")
    return 0


def _print_run(run: dict[str, Any]) -> None:
    for name, value in run.items():
        if isinstance(value, (int, float, str)) and name != "finished":
            print(f"  {name}: {value}")


def describe(path: str) -> dict[str, Any]:
    """Returns the contents of a file as JSON types.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is not a model.
    """
    from .. import modelfile

    file = modelfile.load(path)
    config = dict(file.config)
    for name, embedding in _EMBEDDINGS.items():
        if isinstance(vocabulary := config.pop(name, None), dict):
            options = {k: v for k, v in vocabulary.items() if k not in ("tokens", "tokenizer")}
            rows = len(file.tensors[embedding if embedding in file.tensors else _SHARED])
            config[name] = {"size": rows, **options}
    if isinstance(kept := config.get("kept"), list):  # the dialogues of a chatbot
        config["kept"] = f"{len(kept):,} dialogues"
    if isinstance(table := config.get("table"), dict):  # of an assistant
        config["table"] = {"rows": len(table["rows"]), "columns": ", ".join(table["columns"])}
    ended = file.run is not None and file.run.get("finished", False) is not False
    return {
        "file": path,
        "kind": file.kind,
        "description": modelfile.describe(file.kind),
        "version": file.version,
        "bytes": os.path.getsize(path),
        "config": config,
        "parameter_count": sum(math.prod(t.shape) for t in file.tensors.values()),
        "parameters": {
            name: {"shape": list(t.shape), "dtype": str(t.dtype)} for name, t in file.tensors.items()
        },
        "run": None if ended else file.run,
        "finished_run": file.run if ended else None,
    }


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items() if v is not None)
    return str(value)
