"""Every option of every command: its names and defaults are those of the API."""

import argparse
import inspect
import re
import subprocess
import sys
from dataclasses import asdict, fields

import pytest
from rnnrs_command import call

from rnnrs.cli import GROUPS, parser
from rnnrs.inspection import TextStates, text_states
from rnnrs.models import (
    Augmentation,
    Captioner,
    Chatbot,
    Forecaster,
    LanguageModel,
    Search,
    SequenceClassifier,
    Summarizer,
    Translator,
)
from rnnrs.models.base.options import argument_defaults
from rnnrs.serve import Limits
from rnnrs.text import VOCABULARIES

#: The application of each group that trains, and the method that builds its vocabulary.
APPLICATIONS = {
    "lm": (LanguageModel, LanguageModel.from_text),
    "classify": (SequenceClassifier, SequenceClassifier.from_texts),
    "forecast": (Forecaster, None),
    "translate": (Translator, Translator.from_pairs),
    "summarize": (Summarizer, Summarizer.from_pairs),
    "chat": (Chatbot, Chatbot.from_dialogues),
    "caption": (Captioner, Captioner.from_pairs),
}
#: Defaults that commands choose themselves: held-out examples at a terminal.
OWN_DEFAULTS = {(group, "examples"): 2 for group in ("translate", "summarize", "caption")}

#: Options that have no counterpart in the API, or whose default is not the API's business.
OWN = {
    "help", "output", "force", "quiet", "json", "resume", "checkpoint", "checkpoint_every", "validation", "plot",
    "columns", "fields", "max_words", "max_ratio", "unique", "file", "pictures", "array", "fit", "cache", "onnx",
    "onnx_output", "names", "label", "by", "text", "no_header", "delimiter", "probabilities", "acts", "threshold",
    "unanswerable", "prompt", "stop", "unit", "signal", "tokens", "seconds", "encoding", "from", "time", "series",
    "tokenize", "split", "box", "table", "table_name", "domain", "generated",
    "extract", "sentences", "words", "share", "why", "html", "then",
    "allow_teaching", "who", "waiting", "accept", "undo", "export", "rehearse",
    "host", "port", "workers", "root_path", "token_file", "allow_host", "cors", "log_format", "log_texts",
    "demo", "demo_folder", "demo_seconds",
}  # fmt: skip

#: What the command line calls an argument of another name.
RENAMED = {"k": "n_best"}

VOCABULARY = ("max_size", "min_count", "lowercase")


def subparsers(of):
    """Name → parser of the verbs, without aliases; empty for a group without verbs."""
    for action in of.filled()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {choice.dest: action.choices[choice.dest] for choice in action._choices_actions}
    return {}


def verbs():
    """(group, verb, its options); the verb of a group without verbs is empty."""
    for group, of in subparsers(parser()).items():
        for verb, found in (subparsers(of) or {"": of}).items():
            yield group, verb, [a for a in found.filled()._actions if a.option_strings]


VERBS = [pytest.param(*one, id=f"{one[0]} {one[1]}".strip()) for one in verbs()]


def defaults_of(call):
    return {
        RENAMED.get(p.name, p.name): p.default
        for p in inspect.signature(call).parameters.values()
        if p.default is not p.empty
    }


def api_defaults(group, verb):
    """The defaults of the API's arguments that a verb may offer."""
    if verb == "train":
        cls, build = APPLICATIONS[group]
        found = argument_defaults(cls) | cls.training_defaults()
        found |= {"level": defaults_of(build)["level"]} if build else {}
        found |= defaults_of(Augmentation) if cls is Captioner else {}
        found |= {"season": defaults_of(Forecaster.evaluate)["season"]} if cls is Forecaster else {}
        return found | {name: default for (of, name), default in OWN_DEFAULTS.items() if of == group}
    if (group, verb) in {("translate", "run"), ("summarize", "run"), ("caption", "describe")} or (
        verb == "evaluate" and group in ("translate", "summarize", "caption")
    ):
        return asdict(APPLICATIONS[group][0].search())
    calls = {
        ("lm", "prepare"): [LanguageModel.from_text],
        ("lm", "suggest"): [LanguageModel.suggest],
        ("lm", "generate"): [LanguageModel.generate],
        ("lm", "inspect"): [text_states, TextStates.following],
        ("chat", "rank"): [Chatbot.rank],
        ("chat", "learn"): [Chatbot.learn],
        ("forecast", "evaluate"): [Forecaster.evaluate],
        ("forecast", "predict"): [Forecaster.predict],
        ("serve", ""): [Limits],
    }
    return {
        name: default for call in calls.get((group, verb), []) for name, default in defaults_of(call).items()
    }


def shown(value):
    """A default as a help text shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def shown_default(action):
    """The text in the parentheses that end a help text; None without."""
    found = re.search(r"\(([^()]*)\)$", action.help)
    return found and found[1]


@pytest.mark.parametrize(("group", "verb", "options"), VERBS)
def test_every_default_is_the_apis(group, verb, options):
    expected = api_defaults(group, verb)
    for action in options:
        name = action.dest
        if name in expected and name not in OWN:
            assert action.default is argparse.SUPPRESS, f"{name}: a default of its own"
            if expected[name] is not None and name != "bidirectional":
                assert re.match(rf"{re.escape(shown(expected[name]))}(;|,|$)", shown_default(action)), name
            elif name != "bidirectional":
                assert shown_default(action), f"{name}: no word about the default"
        else:
            own = (
                name in OWN
                or name in VOCABULARY
                or (group, name) in {("demo", "seed"), ("demo", "hidden_size")}
            )
            assert own or (group, verb, name) in {
                ("chat", "rank", "n_best"),
                ("caption", "rank", "n_best"),
                ("caption", "describe", "regions"),  # a number, of models of regions
                ("lm", "score", "all_spellings"),
                ("lm", "score", "after"),  # without it, whole sentences are scored
            }, name


@pytest.mark.parametrize(("group", "verb", "options"), VERBS)
def test_every_option_of_training_is_offered(group, verb, options):
    if verb != "train":
        return
    cls, build = APPLICATIONS[group]
    there = {action.dest for action in options}
    assert there >= set(cls.training_defaults()) - {"augmentation"}
    assert there >= {f.name for f in fields(Augmentation)} or cls is not Captioner
    assert there >= {"level", *VOCABULARY} or build is None
    assert there >= {"resume", "checkpoint", "checkpoint_every", "validation", "json", "force", "quiet"}


@pytest.mark.parametrize(("group", "verb", "options"), VERBS)
def test_the_first_name_of_an_option_is_the_apis(group, verb, options):
    for action in options:
        if action.dest == "bidirectional":
            assert action.option_strings == ["--unidirectional", "--one-way"] and action.const is False
            assert argument_defaults(SequenceClassifier)["bidirectional"] is True
        else:
            assert action.option_strings[0] in (f"--{action.dest.replace('_', '-')}", "-h", "-o")


@pytest.mark.parametrize(("group", "verb", "options"), VERBS)
def test_vocabularies_have_the_defaults_of_the_application(group, verb, options):
    cls = APPLICATIONS.get(group, [None])[0]
    for action in options:
        if action.dest in VOCABULARY:
            values = {
                level: (defaults_of(VOCABULARIES[level].build) | changed)[action.dest]
                for level, changed in cls.LEVELS.items()
                if action.dest in defaults_of(VOCABULARIES[level].build)
            }
            words = {level: "none" if value is None else shown(value) for level, value in values.items()}
            one = len(set(words.values())) == 1
            text = next(iter(words.values())) if one else ", ".join(f"{k}: {v}" for k, v in words.items())
            assert shown_default(action) == text


def test_results_are_printed_as_json_by_every_verb():
    for group, verb, options in verbs():
        assert group in ("demo", "serve") or "json" in {action.dest for action in options}, f"{group} {verb}"


def test_second_spellings():
    second = {
        "--hidden": "hidden_size",
        "--embedding": "embedding_size",
        "--batch": "batch_size",
        "--clip": "clip_norm",
        "--vocabulary": "max_size",
        "--no-repeat": "no_repeat_ngram",
        "--size": "picture_size",
        "--one-way": "bidirectional",
        "--window": "steps",
        "--top": "n_best",
        "-k": "n_best",
    }
    found = {word: a.dest for _, _, options in verbs() for a in options for word in a.option_strings[1:]}
    no = {word for word in found if word.startswith("--no-") and word != "--no-repeat"}
    assert {w: d for w, d in found.items() if w not in no} == second | {
        "--help": "help",
        "--output": "output",
    }


def test_search_is_the_only_source_of_the_searchs_defaults():
    """The applications' own way to search differs from `Search` only where it says so."""
    assert asdict(Translator.search()) == asdict(Captioner.search()) == asdict(Search())
    assert asdict(Summarizer.search()) == asdict(Search()) | {"no_repeat_ngram": 3}


@pytest.mark.parametrize("command", [["--help"], ["lm", "--help"], ["caption", "--help"], ["demo", "--help"]])
def test_help_of_commands_and_groups_imports_no_models(command):
    program = (
        "import sys\nfrom rnnrs.cli import main\n"
        f"try:\n    main({command})\nexcept SystemExit:\n    pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = set(done.stderr.split())
    assert "rnnrs.models" not in modules and "rnnrs.nn" not in modules and "rnnrs.text" not in modules
    rooms = {name.split(".")[2] for name in modules if name.startswith("rnnrs.cli.")}
    chosen = set() if command == ["--help"] else {GROUPS[command[0]][0].split(".")[0]}
    assert rooms - {"common", "options", "training", "validation", "writing"} == chosen


def test_a_range_is_that_of_the_table():
    for option, value, message in (
        ("--batch-size", "0", "expected a whole number from 1, got 0"),
        ("--learning-rate", "nan", "expected a finite number above 0, got nan"),
        ("--clip-norm", "-1", "expected a finite number above 0, got -1"),
        ("--schedule", "round", "expected one of constant, linear, cosine, step, exponential, got round"),
        ("--patience", "two", "invalid whole number value: 'two'"),
        ("--epochs", "none", "invalid whole number value: 'none'"),
    ):
        code, out, error = call("lm", "train", "a.txt", "-o", "b.rnn", option, value)
        assert (code, out) == (2, "") and message in error


def test_none_is_a_value_where_the_table_says_so():
    train = subparsers(subparsers(parser())["lm"])["train"]
    found = train.parse_args(["a.txt", "-o", "b.rnn", "--clip-norm", "none", "--patience", "none"])
    assert found.clip_norm is None and found.patience is None and not hasattr(found, "epochs")
