"""P(text | the text before it) as a sum over all spellings of the text in subwords.

A text of n bytes has up to 2^(n−1) spellings, and the network's state differs between them. They form a tree,
which is walked level by level: a node is a spelling of the first bytes. Of too many nodes, those are followed
that seem likeliest as a whole: what is missing is taken to be as likely as in the usual spelling. Where a
text may go on, its last token may reach beyond it (Vieira et al. 2024, "From language models over tokens to
language models over characters").
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..._rnnrs import log_softmax, top_k
from ...decoding import check_stopped
from ...text import Vocabulary
from ...types import Array, Ids
from .continuation import LanguageModelSteps
from .network import LanguageNetwork

#: The number of spellings that are followed side by side.
_WIDTH = 512

#: The share of a sum that may be missing while it counts as complete.
_NEGLIGIBLE = 1e-9


class Marginal(NamedTuple):
    """The probability of a text, summed over its spellings.

    Attributes:
        log_prob: ln of the sum.
        is_bound: whether spellings that were not followed may add more than a share of 10⁻⁹.
    """

    log_prob: float
    is_bound: bool


def marginal(
    network: LanguageNetwork, after: str, ids: Ids, end: bool, log_probs: Array | None = None
) -> Marginal:
    """Returns ln P of a text after another one, summed over the spellings of the text.

    Args:
        network: the model's network, with a vocabulary of subwords.
        after: the text before it, in the spelling of its vocabulary.
        ids: a spelling of the text (N,), without its end.
        end: whether the sentence ends after the text; if not, anything may follow.
        log_probs: ln P of each of these tokens; without them, all rests count as equally likely.
    """
    vocabulary = network.vocabulary
    pieces, lengths = _pieces(vocabulary)
    text = b"".join(pieces[token] for token in ids.tolist())
    missing = _missing(lengths[ids], log_probs)
    end_id = vocabulary.end_id if end else None
    roles_at = lru_cache(maxsize=None)(lambda place: _roles(pieces, text[place:], end_id))
    steps = LanguageModelSteps(network, [after])
    # Of each node of a level: the row of the state before it, its last token, the bytes spelled, and ln P.
    rows, tokens, spelled, log_p = np.zeros(1, np.int64), steps.start, np.zeros(1, np.int64), np.zeros(1)
    total = dropped = -math.inf
    while len(rows):
        check_stopped()
        o = log_softmax(steps.step(tokens, rows).astype(np.float64)) + log_p[:, None]
        places, owners = np.unique(spelled, return_inverse=True)
        masks = [roles_at(place) for place in places.tolist()]
        goes_on, completes = (np.stack(parts)[owners] for parts in zip(*masks, strict=True))
        total = float(np.logaddexp.reduce(np.append(o[completes], total)))
        rows, tokens = np.nonzero(goes_on)
        log_p = o[rows, tokens]
        spelled = spelled[rows] + lengths[tokens]
        if len(log_p) > _WIDTH:
            best, _ = top_k(log_p + missing[spelled], _WIDTH)
            best.sort()
            dropped = float(np.logaddexp.reduce(np.append(np.delete(log_p, best), dropped)))
            rows, tokens, spelled, log_p = rows[best], tokens[best], spelled[best], log_p[best]
    usual = -math.inf if log_probs is None else float(log_probs.sum())
    is_bound = dropped > total + math.log(_NEGLIGIBLE)
    return Marginal(max(total, usual) if is_bound else total, is_bound)


@lru_cache(maxsize=2)
def _pieces(vocabulary: Vocabulary) -> tuple[list[bytes], Ids]:
    """Returns the bytes of each token of a vocabulary, and their numbers (V,)."""
    pieces = [vocabulary.piece(token) for token in range(len(vocabulary))]
    return pieces, np.array([len(piece) for piece in pieces], np.int64)


def _missing(lengths: Ids, log_probs: Array | None) -> Array:
    """Returns ln P of what follows each byte of a text in one spelling of it, interpolated within tokens.

    Args:
        lengths: the number of bytes of each token.
        log_probs: ln P of each.
    """
    places = np.concatenate([[0], np.cumsum(lengths)])
    if log_probs is None:
        return np.zeros(int(places[-1]) + 1)
    rest = np.concatenate([np.cumsum(np.maximum(log_probs[: len(lengths)], -1e3)[::-1])[::-1], [0.0]])
    return np.asarray(np.interp(np.arange(int(places[-1]) + 1), places, rest))


def _roles(pieces: list[bytes], rest: bytes, end_id: int | None) -> tuple[Array, Array]:
    """Returns which tokens spell a beginning of the rest of a text, and which complete the text: (V,) each.

    Args:
        pieces: the bytes of each token.
        rest: the bytes that are not spelled yet.
        end_id: the token that must follow them; None if anything may.
    """
    if not rest:
        return np.zeros(len(pieces), bool), np.arange(len(pieces)) == end_id
    begins = np.array([bool(piece) and rest.startswith(piece) for piece in pieces])
    if end_id is not None:
        return begins, np.zeros(len(pieces), bool)
    return begins & np.array([piece != rest for piece in pieces]), np.array(
        [piece.startswith(rest) for piece in pieces]
    )
