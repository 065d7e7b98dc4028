"""What a model writes while it is trained."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from ...train import Callback

if TYPE_CHECKING:
    from ...train import Trainer
    from ..captions.captioner import Captioner
    from ..text_to_text.text_to_text import TextToText


class Examples(Callback):
    """Prints after every validation what a model writes for some sources, greedily.

    Args:
        model: the model.
        pairs: (source, target), of which the first, the last and some between are taken. Pictures are told by their
            numbers.
        count: how many.
        file: where to; standard error by default.
    """

    def __init__(
        self,
        model: TextToText | Captioner,
        pairs: Sequence[tuple[Any, str]],
        count: int,
        file: TextIO | None = None,
    ) -> None:
        self._model, self._file = model, file
        chosen = sorted({n * (len(pairs) - 1) // max(count - 1, 1) for n in range(count)})
        self.pairs = [pairs[i] for i in chosen]
        self._names = [pairs[i][0] if isinstance(pairs[i][0], str) else f"picture {i}" for i in chosen]

    def on_validation(self, trainer: Trainer, loss: float) -> None:
        written = self._model.write([source for source, _ in self.pairs], self._model.search(beam=1))
        lines = [f"epoch {trainer.epoch + 1}, held out {loss:.3f}:"]
        for name, (_, target), (best, *_) in zip(self._names, self.pairs, written, strict=True):
            lines += [f"  {name}", f"    wanted  {target}", f"    got     {best.text}"]
        out = self._file or sys.stderr
        print(("\n" if out.isatty() else "") + "\n".join(lines), file=out, flush=True)
