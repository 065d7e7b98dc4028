"""The check before an answer is said: is it what is wanted, and does the table hold what it says?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from ...data.annotated_dialogues import DONTCARE
from .domain import Domain
from .mentions import bare, tokens_of
from .policy import Situation
from .responses import _PLACEHOLDER, COUNT, Template, filled, placeholder
from .sentences import Sentences
from .state import matching
from .tracking import Tracking

#: A sentence of an answer without values, with its mark.
_SENTENCE = re.compile(r"[^.?!;]+[.?!;]*")

#: A word denies that rows fit if it occurs at least so often in learned answers, at least this share of them
#: where no row fits.
OFTEN, SHARE = 3, 0.9


def learned_denials(templates: Iterable[tuple[Template, int]], base: Sequence[str]) -> list[str]:
    """Returns the words that deny that rows fit: given ones, and those that answers use where none fits.

    Args:
        templates: learned answers, each with the number of rows that fit.
        base: the given words.
    """
    total: Counter[str] = Counter()
    without: Counter[str] = Counter()
    for template, count in templates:
        words = set(_words(template.text))
        total.update(words)
        if not count and template.act == "deny":
            without.update(words)
    learned = [w for w, n in without.items() if n >= OFTEN and n >= SHARE * total[w] and w.isalpha()]
    return list(dict.fromkeys([*base, *sorted(learned)]))


def _words(text: str) -> list[str]:
    return [token.words[0] for token in tokens_of(_PLACEHOLDER.sub(" ", text))]


def is_wanted(template: Template, situation: Situation) -> bool:
    """Returns whether an answer does what the situation requires, whatever its words."""
    state, act, domain = situation.state, template.act, situation.domain
    said, slot = set(template.placeholders), act.removeprefix("ask_")
    if situation.missing or situation.exhausted:
        return False
    if act == "offer" and (situation.row is None or placeholder(domain.key) not in said):
        return False
    wanted = {placeholder(column) for column in situation.due if column != domain.key}
    if situation.due:
        return act in ("offer", "inform") and wanted <= said
    if situation.named:
        return act in ("offer", "inform")
    if not situation.matches:
        new = state.changed or state.requests or state.another or not state.act
        return act == "deny" if new else act in ("deny", "other")
    if act == "deny" or (act == "inform" and situation.row not in state.offered):
        return False
    if act.startswith("ask_") and (slot in state.values or slot in state.asked):
        return False
    if state.another:
        return act == "offer"
    if state.changed or not state.act:
        return act == "offer" or (act.startswith("ask_") and slot in situation.open_slots)
    return True


def spoken(
    template: Template,
    situation: Situation,
    tracking: Tracking,
    sentences: Sentences,
    denials: Collection[str],
) -> str | None:
    """Returns an answer with its values, or None if it says what the table does not hold."""
    values = _values(template, situation, sentences)
    said = template.placeholders
    if any(name not in values for name in said) or max(Counter(said).values(), default=0) > 1:
        return None
    bare_text = _PLACEHOLDER.sub(" ", template.text)
    words, count = _words(template.text), len(situation.matches)
    numbers = {bare(number) for number in sentences.numbers[2:]}
    if any(word in numbers or any(map(str.isdigit, word)) for word in words):
        return None
    if (template.act == "deny") != any(word in denials for word in words):
        return None
    if (
        situation.named
        and situation.row not in situation.matches
        and set(words) & set(sentences.confirmations)
    ):
        return None
    if template.act not in ("offer", "inform") or situation.state.refused:
        count = _fitting(template, situation)
        if (template.act == "deny" and count) or (COUNT in said and count != len(situation.matches)):
            return None
    domain = situation.domain
    names = " ".join([domain.noun, *(name for column in domain.columns for name in domain.names(column))])
    if sentences.false_claim(bare_text, None if template.act == "deny" else count, names):
        return None
    if _asks_otherwise(template, situation) or not _rightly_named(template, situation.domain, tracking):
        return None
    rows = [
        situation.table.rows[i] for i in ([situation.row] if situation.row is not None else situation.matches)
    ]
    for token in tracking.lexicon.tokens(bare_text):
        if token.meant and not any(
            rows and all(row[column] == value for row in rows) for column, value in token.meant
        ):
            return None
    return filled(template.text, values)


def _values(template: Template, situation: Situation, sentences: Sentences) -> Mapping[str, str]:
    """Returns the values that an answer with this act may say, by placeholder."""
    domain, count = situation.domain, len(situation.matches)
    if template.act in ("offer", "inform"):
        found = {placeholder(column): situation.cells[column] for column in domain.columns if situation.cells}
    else:
        found = {placeholder(slot): value for slot, value in situation.known}
    if count > 1 and not situation.state.refused:
        found[COUNT] = sentences.number(count)
    return {name: value for name, value in found.items() if value and value != DONTCARE}


def _fitting(template: Template, situation: Situation) -> int:
    """Returns the number of rows with the values that an answer names; all that fit if it names none.

    Answers do not name what was refused, so rows with it count.
    """
    named = {slot: value for slot, value in situation.known if placeholder(slot) in template.placeholders}
    if not named and not situation.state.refused:
        return len(situation.matches)
    return len(matching(situation.table, situation.domain, named))


def _asks_otherwise(template: Template, situation: Situation) -> bool:
    """Returns whether a question for a slot names only others."""
    if not template.act.startswith("ask_"):
        return False
    domain, text, slot = situation.domain, template.text.lower(), template.act.removeprefix("ask_")
    named = [s for s in domain.slots if any(name.lower() in text for name in domain.names(s))]
    return bool(named) and slot not in named


def _rightly_named(template: Template, domain: Domain, tracking: Tracking) -> bool:
    """Returns whether each name of a column in an answer belongs to a placeholder of this column.

    In each sentence that has placeholders, they must have the order of the names ("phone and address:
    slot_phone, slot_address"), or each name must have its own placeholder as the next one before or after
    it. A question may name further columns. So "the age is slot_phone" is not said.
    """
    asked = template.act.removeprefix("ask_")
    for one in _SENTENCE.findall(template.text):
        said = [name for name in _PLACEHOLDER.findall(one) if name not in (placeholder(domain.key), COUNT)]
        parts = re.split(rf"\b(?:{'|'.join(map(re.escape, said))})\b", one) if said else []
        named = [(column, i) for i, part in enumerate(parts) for column in tracking.named_columns(part)]
        free = (domain.key, asked, *(domain.columns if "?" in one else ()))
        named = [(c, i) for c, i in named if placeholder(c) in said or c not in free]
        if not all(placeholder(c) in said[max(i - 1, 0) : i + 1] for c, i in named) and said != [
            placeholder(c) for c, _ in named
        ]:
            return False
    return True


def by_consensus(texts: Sequence[str], scores: Sequence[float]) -> list[int]:
    """Returns the order of texts by their expected similarity to all of them, the most similar first.

    The similarity is F1 of their n-grams of up to 3 words; texts count by the softmax of their scores. So the
    answer is chosen that agrees most with what else could be said (minimum Bayes risk: Kumar and Byrne 2004).

    Example:
        >>> by_consensus(["thanks", "goodbye !", "goodbye ."], [-1.0, -1.0, -1.1])
        [1, 2, 0]
    """
    weights = np.exp(np.array(scores) - max(scores, default=0.0))
    grams = [_ngrams(text) for text in texts]
    sizes = [sum(own.values()) for own in grams]
    expected = [
        sum(
            w * 2 * sum((own & other).values()) / max(size + n, 1)
            for w, other, n in zip(weights, grams, sizes, strict=True)
        )
        for own, size in zip(grams, sizes, strict=True)
    ]
    return sorted(range(len(texts)), key=lambda i: -expected[i])


def _ngrams(text: str) -> Counter[tuple[str, ...]]:
    words = [token.words[0] for token in tokens_of(text)]
    return Counter(tuple(words[i : i + n]) for n in (1, 2, 3) for i in range(len(words) - n + 1))
