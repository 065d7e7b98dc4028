"""The model and the batches with which a `fit` trains, without the training."""

import pytest
import small_applications

from rnnrs import Trainer


class Caught(Exception):
    """A training that was about to begin."""


def caught(fit, *data, **options):
    """Returns the model and the data that a `fit` gives to its trainer."""

    def begin(trainer, batches, **bounds):
        raise Caught(trainer.model, batches)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Trainer, "fit", begin)
        with pytest.raises(Caught) as raised:
            fit(*data, progress=False, **options)
    return raised.value.args


def training(make):
    """Returns the model and the data of one of the small applications, in float64 where it has the option."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(small_applications, "SIZES", small_applications.SIZES | {"dtype": "float64"})
        model, data, _ = make()
    return caught(model.fit, *data, batch_size=5)
