"""How simulated people say things, in English."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .domain import check_fields

#: The fields of phrases.
FIELDS = ("slot", "value", "other", "noun", "what", "asked")


def kinds(text: str) -> dict[str, tuple[str, ...]]:
    """Returns the phrases of each kind: of paragraphs that begin with the kind, separated by |."""
    parts = [part.split(":", 1) for part in text.strip().split("\n\n")]
    return {kind: tuple(re.sub(r"\s+", " ", one).strip() for one in own.split("|")) for kind, own in parts}


#: Phrases with {slot}, {value}, {other} (another value), {noun}, {what} (phrases for values, joined) and
#: {asked} (columns, joined), by kind: the first turn, a value in it, a value that was asked for, no
#: preference, no preference for a slot, another value, a correction, a request, the wish for another row, the
#: end; and words before and after a turn that mean nothing.
PHRASES = kinds("""
start: i am looking for a {noun} {what} | i want a {noun} {what} | {noun} {what} | i need a {noun} {what} |
find me a {noun} {what} | can you find me a {noun} {what} ? | is there a {noun} {what} ? | i would like
something {what} | do you know any {noun} {what} ? | we want to find something {what} | could you recommend
a {noun} {what} ? | {what} | what {noun} is there {what} ?

value: with {slot} {value} | {value} {slot} | that has {value} {slot} | where the {slot} is {value} |
{value} | with a {value} {slot} | a {slot} of {value} | {slot} : {value} | {value} as {slot}

answer: {value} | {value} {slot} | i would like {value} | the {slot} should be {value} | {value} would be
good | i prefer {value} | let us take {value} | {value} is fine | it should be {value} | i want {value} for
the {slot} | maybe {value} | we want {value}

any: i do not care | i don't care | any | anything | it does not matter | any {slot} is fine | no preference
| don't care | i don't mind | doesn't matter | i do not really care | anything is fine | any is ok | it
doesn't matter to me | whatever | i have no preference | all are fine | not important

any_slot: any {slot} is fine | i do not care about the {slot} | the {slot} does not matter | i don't mind
which {slot} | any {slot} | i don't care about {slot} | the {slot} is not important | whatever {slot} | no
preference for the {slot} | i don't care what {slot} | in any {slot} | any {slot} will do | the {slot}
doesn't matter | any {slot} is good with me | it can be any {slot} | do not care what {slot} it is

instead: how about {value} ? | what about {value} {slot} ? | then {value} {slot} | no , {value} instead |
change it to {value} | can you try {value} ? | is there one with {value} ? | then i want {value} | {value}
then

correct: i want {value} and not {other} | {value} rather than {other} | no {other} , {value} | {value} , definitely
not {other} | not {other} please , {value} | {value} {slot} and not {other} | i like {value} , i do not like {other} |
not {other} , {value} | no , not {other} , i want {value} | not {other} but {value} | {value} , not
{other} | sorry , i meant {value} | {other} , no wait , {value} | i said {value} , not {other} | i don't
want {other} , i want {value} | anything but {other} , {value} | {value} instead of {other} | rather {value}
than {other} | not {other} . {value} | i do not like {other} , {value} is better

request: what is the {asked} ? | can i have the {asked} ? | give me the {asked} | {asked} ? | and the
{asked} ? | could i get their {asked} ? | i need the {asked} | tell me the {asked} | what's their {asked} ?
| i would like to know the {asked} | do you have the {asked} ? | send me its {asked} | could you tell me its
{asked} ? | which {asked} does it have ? | may i have the {asked} ?

another: is there anything else ? | do you have another one ? | something else | any other {noun} ? | no ,
another one | what else is there ? | are there any others ? | show me a different {noun} | i do not like
that one , another {noun} | any other options ? | another

bye: thank you , goodbye | thanks , bye | that is all , thank you | goodbye | great , thanks | thank you
very much | that's all , bye | no , that is all | bye

before: hi , | hello , | ok , | well , | great , | yes , | sounds good . | hi there ! | hm , | good . | oh ,
| perfect .

after: please | thanks | thank you | ! | please ! | for tonight | i think | , can you help me ? | for my
friends and me | if possible
""")


def check_phrases(op: str, phrases: Any) -> None:
    """Checks phrases by kind.

    Raises:
        TypeError: for anything but lists of texts by kind, or an unknown kind.
        ValueError: for a kind without phrases, or a phrase with an unknown field.
    """
    if not isinstance(phrases, Mapping):
        raise TypeError(f"{op}: phrases: expected texts by kind, got {phrases!r:.80}")
    for kind, texts in phrases.items():
        if kind not in PHRASES:
            raise TypeError(f"{op}: phrases: unexpected {kind!r}; expected {', '.join(PHRASES)}")
        listed = isinstance(texts, Sequence) and not isinstance(texts, str)
        if not listed or not all(isinstance(text, str) for text in texts):
            raise TypeError(f"{op}: phrases: {kind}: expected a list of texts, got {texts!r:.80}")
        if not texts:
            raise ValueError(f"{op}: phrases: {kind}: expected at least one, got none")
        check_fields(f"{op}: phrases: {kind}", texts, FIELDS)
