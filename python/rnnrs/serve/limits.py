"""The limits of a server: what one request may ask for, and how many may wait."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from ..checks import check_number, check_size, positive


@dataclass(frozen=True)
class Limits:
    """What one request may ask for, and how many requests may wait.

    Attributes:
        head: the size of a request's line and headers, in bytes.
        body: the size of a request's body, in bytes.
        message: the size of a message by WebSocket, in bytes.
        text: the length of a text, in code points.
        numbers: the numbers of a sequence or series.
        tokens: the tokens to generate.
        beam: the width of a beam.
        pixels: the pixels of a picture.
        seconds: the time within which a request is answered; a stream may take as long again for each piece.
        queue: the requests that wait for one model; further ones are refused with 429.
        batch: the requests of one model that are computed together.
        sessions: the WebSockets that are open at a time.
        connections: the connections that are open at a time; further ones are refused with 503.
        header_seconds: the time within which a client sends the head of a request, and each part of its body,
            reads a part of its answer, and begins its next request.

    Raises:
        TypeError, ValueError: for a limit that is not a positive number; all but the seconds are whole.

    Example:
        >>> Limits(queue=8).batch
        32
    """

    head: int = 16 << 10
    body: int = 8 << 20
    message: int = 2 << 20
    text: int = 200_000
    numbers: int = 1_000_000
    tokens: int = 2_000
    beam: int = 64
    pixels: int = 25_000_000
    seconds: float = 60.0
    queue: int = 256
    batch: int = 32
    sessions: int = 256
    connections: int = 400
    header_seconds: float = 10.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, float):
                check_number("Limits", field.name, value, "a finite number above 0", positive)
            else:
                check_size("Limits", field.name, value)

    def in_query(self) -> Limits:
        """Returns the limits of a request's query, which is a part of its head."""
        return replace(self, text=min(self.text, max(self.head // 16, 1)))
