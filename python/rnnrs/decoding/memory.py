"""Numbers of hypotheses that do not fit in memory are refused by name."""

from __future__ import annotations

from .._rnnrs import check_memory


def check_hypotheses(op: str, argument: str, value: int, each: int, count: int) -> None:
    """Checks that hypotheses fit in memory.

    Args:
        op: the caller's name, for error messages.
        argument, value: the argument that asks for them.
        each: the bytes of each.
        count: their number.

    Raises:
        MemoryError: if they do not; names the argument.
    """
    try:
        check_memory(min(each * count, 2**63))
    except MemoryError:
        raise MemoryError(
            f"{op}: {argument}: expected hypotheses that fit in memory, "
            f"got {value}, which takes {each * count / 2**30:,.1f} GiB"
        ) from None
