"""Chatbots: replies to varied spellings of questions, choice among answers, sentences for dialogue acts.

    python benches/quality/dialogue.py chatterbot DIALOGUES.jsonl
    python benches/quality/dialogue.py rnnlg TRAIN.tsv VALID.tsv TEST.tsv
    python benches/quality/dialogue.py camrest CamRest676.json

Files may be gzipped (.gz). `--time-limit`, `--epochs`, `--hidden`, … override the training recipe of each
task.

- chatterbot: trains on all distinct dialogues. Each first turn, unchanged and in other spellings, must then
  receive one of its recorded answers, word for word.
- rnnlg: BLEU-4 of the test acts' sentences, with the data's tokens. There are two sets of references: all
  sentences of the test data whose act has the same slots, with their values replaced by the act's own (the
  grouping of Wen et al. 2015), and the one recorded sentence. Slot errors are counted by
  `rnnrs.metrics.slot_error`.
- camrest: the last 100 dialogues are held out. recall@1 is how often the recorded answer is ranked first
  among itself and nine others sampled from held-out dialogues. λ is chosen on the last 100 dialogues of the
  rest, with a model trained without them. Perplexity is that of the answers' tokens, ends included, of the
  network and of a trigram model with the same vocabulary that was trained on the same answers.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ngrams import Trigram

from rnnrs.data import DialogueAct, act_dialogues, read_dialogue_acts, read_dialogues
from rnnrs.metrics import bleu, slot_error
from rnnrs.models import Chatbot, Utterance
from rnnrs.text import find_words

#: Spellings of a question.
TYPED: dict[str, Callable[[str], str]] = {
    "as recorded": lambda text: text,
    "capitals": str.upper,
    "lower case, no punctuation": lambda text: re.sub(r"[^\w\s]", "", text.lower()),
    "other punctuation": lambda text: text.rstrip(" ?.!") + " !!",
    "without its first article": lambda text: re.sub(r"\b(a|an|the)\b ?", "", text, count=1, flags=re.I),
}

#: The number of held-out CamRest dialogues, and the number of answers to choose among.
HELD_OUT, CHOICES = 100, 10

#: Candidate values of λ (`prior` of `Chatbot.rank`).
PRIORS = (0.0, 0.5, 0.75, 1.0)


def train(bot: Chatbot, dialogues: Sequence[Sequence[str]], given: argparse.Namespace, **recipe: Any) -> None:
    """Trains with the task's recipe; command-line options take precedence."""
    own = {name: getattr(given, name) for name in ("epochs", "time_limit", "batch_size", "learning_rate")}
    settings = recipe | {name: value for name, value in own.items() if value is not None}
    start = time.monotonic()
    history = bot.fit(dialogues, seed=given.seed, progress=False, **settings)
    print(
        f"{bot.parameters.size:,} parameters, {len(bot.pairs(dialogues)):,} answers; {len(history.losses)} steps "
        f"in {time.monotonic() - start:.0f} s, loss {np.mean(history.losses[-50:]):.3f}",
        flush=True,
    )


def chatterbot(given: argparse.Namespace) -> None:
    """Measures how often varied spellings of a question receive a recorded answer."""
    dialogues = list(dict.fromkeys(map(tuple, read_dialogues(given.files[0]))))
    bot = Chatbot.from_dialogues(
        dialogues, history=2, embedding_size=128, hidden_size=given.hidden or 256, dropout=0.1
    )
    train(bot, dialogues, given, epochs=120, batch_size=32, learning_rate=3e-3, noise=0.0, forget=0.0)
    recorded = defaultdict(set)
    for question, answer, *_ in dialogues:
        recorded[question].add(tuple(find_words(answer)))
    for name, typed in TYPED.items():
        asked = [q for q in recorded if typed(q).strip() and (name == "as recorded" or typed(q) != q)]
        replies = bot.reply_all([typed(question) for question in asked])
        hits = [tuple(find_words(r.text)) in recorded[q] for q, r in zip(asked, replies, strict=True)]
        print(f"{name}: {np.mean(hits):.1%} of {len(asked)} receive a recorded answer")


def same_slots(examples: Sequence[tuple[DialogueAct, str]]) -> list[list[str]]:
    """Returns, per example, the sentences of all acts with the same slots, with its own values inserted."""
    templates = defaultdict(list)
    for act, sentence in examples:
        templates[act.source].append(act.delexicalize(sentence))
    return [
        list(dict.fromkeys(" ".join(act.lexicalize(t.split())) for t in templates[act.source]))
        for act, _ in examples
    ]


def padded(references: Sequence[list[str]]) -> list[list[str]]:
    """Pads the lists of references to one length with the first, which changes no clipped n-gram count."""
    most = max(map(len, references))
    return [own + own[:1] * (most - len(own)) for own in references]


def judge_acts(found: Sequence[Utterance], examples: Sequence[tuple[DialogueAct, str]]) -> None:
    """Prints BLEU and slot error."""
    said = [" ".join(utterance.tokens) for utterance in found]
    acts = [act for act, _ in examples]
    many = bleu(said, padded(same_slots(examples)), tokenize="none", lowercase=True)
    one = bleu(said, [sentence for _, sentence in examples], tokenize="none", lowercase=True)
    print(
        f"BLEU {many.score:.1f} against all references with an act's slots, {one.score:.1f} against the one sentence"
    )
    print(many.signature)
    print(slot_error(acts, [utterance.template for utterance in found]))


def rnnlg(given: argparse.Namespace) -> None:
    """Trains on dialogue acts and evaluates the generated sentences."""
    training, validation, test = (read_dialogue_acts(path) for path in given.files)
    dialogues = act_dialogues(training)
    bot = Chatbot.from_dialogues(
        dialogues,
        history=1,
        vocabulary={"min_count": 2},
        embedding_size=64,
        hidden_size=given.hidden or 128,
        dropout=0.3,
        label_smoothing=0.1,
        seed=given.seed,
    )
    train(bot, dialogues, given, epochs=20, batch_size=32, learning_rate=2e-3, noise=0.0, forget=0.0)
    print(f"validation perplexity {bot.evaluate(act_dialogues(validation)).perplexity:.2f}")
    for name, examples in (("validation", validation), ("test", test)):
        print(name)
        judge_acts(bot.speak_all([act for act, _ in examples]), examples)
    for act, _ in test[:200:40]:
        print(f"    {act.source}  ->  {bot.speak(act)}")


def read_camrest(path: str) -> list[list[str]]:
    """Returns CamRest's dialogues as lists of turns."""
    data = Path(path).read_bytes()
    found = json.loads(gzip.decompress(data) if path.endswith(".gz") else data)
    sides = [[(turn["usr"]["transcript"], turn["sys"]["sent"]) for turn in one["dial"]] for one in found]
    return [[text for pair in pairs for text in pair] for pairs in sides]


def recall(bot: Chatbot, dialogues: Sequence[Sequence[str]], prior: float, seed: int) -> float:
    """Returns how often the recorded answer is ranked above nine others."""
    draw = np.random.default_rng(seed)
    answers = [turn for turns in dialogues for turn in turns[1::2]]
    hits = []
    for turns in dialogues:
        for place in range(1, len(turns), 2):
            others = [answer for answer in dict.fromkeys(answers) if answer != turns[place]]
            picked = draw.choice(len(others), CHOICES - 1, replace=False)
            candidates = [*(others[i] for i in picked), turns[place]]
            hits.append(bot.rank(turns[:place], candidates, prior=prior)[0].text == turns[place])
    return float(np.mean(hits))


def restaurant_bot(dialogues: Sequence[Sequence[str]], given: argparse.Namespace) -> Chatbot:
    """Returns a model trained on CamRest dialogues."""
    bot = Chatbot.from_dialogues(
        dialogues,
        history=9,
        vocabulary={"min_count": 2, "lowercase": True},
        copy=True,
        embedding_size=128,
        hidden_size=given.hidden or 192,
        dropout=0.4,
        seed=given.seed,
    )
    train(bot, dialogues, given, epochs=9, batch_size=32, learning_rate=3e-3, noise=0.1)
    return bot


def camrest(given: argparse.Namespace) -> None:
    """Measures choice among ten answers, and perplexity."""
    dialogues = read_camrest(given.files[0])
    training, held_out = dialogues[:-HELD_OUT], dialogues[-HELD_OUT:]
    first = restaurant_bot(training[:-HELD_OUT], given)
    shares = {prior: recall(first, training[-HELD_OUT:], prior, given.seed) for prior in PRIORS}
    for prior, share in shares.items():
        print(f"last {HELD_OUT} training dialogues: recall@1 among {CHOICES}, λ = {prior}: {share:.1%}")
    bot = restaurant_bot(training, given)
    encode, end = bot.target_vocabulary.encode, bot.target_vocabulary.end_id
    sides = [[encode(answer) for _, answer in bot.pairs(part)] for part in (training, held_out)]
    trigram = Trigram(sides[0], len(bot.target_vocabulary), end)
    found = bot.evaluate(held_out)
    unknown = np.mean(np.concatenate(sides[1]) == bot.target_vocabulary.unknown_id)
    print(
        f"perplexity {found.perplexity:.2f}, of the trigram model {trigram.perplexity(sides[1]):.2f}, of "
        f"{found.tokens:,} tokens, {unknown:.1%} of them unknown; {len(bot.target_vocabulary):,} words"
    )
    chosen = max(shares, key=shares.__getitem__)
    for prior in PRIORS:
        share = recall(bot, held_out, prior, given.seed)
        mark = ", as chosen on the training dialogues" if prior == chosen else ""
        print(
            f"recall@1 among {CHOICES} answers, λ = {prior}{mark}: {share:.1%} of {len(sides[1])}", flush=True
        )


def main() -> None:
    """Runs a task."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=("chatterbot", "rnnlg", "camrest"))
    parser.add_argument("files", nargs="+")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    wanted = 3 if given.task == "rnnlg" else 1
    if len(given.files) != wanted:
        parser.error(f"{given.task}: expected {wanted} files, got {len(given.files)}")
    {"chatterbot": chatterbot, "rnnlg": rnnlg, "camrest": camrest}[given.task](given)


if __name__ == "__main__":
    main()
