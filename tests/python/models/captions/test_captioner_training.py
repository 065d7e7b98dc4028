"""Captioner: training, resumed runs, and vocabularies."""

import numpy as np
import pytest

import rnnrs
from rnnrs.models import Augmentation, Captioner


def drawings(count, seed):
    """Returns pictures of 8×8 with a colored square of 3×3 each, and their descriptions."""
    draw = np.random.default_rng(seed)
    colors = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
    pictures, texts = np.full((count, 8, 8, 3), 90, np.uint8), []
    for picture in pictures:
        name, right, low = draw.choice(list(colors)), draw.integers(2), draw.integers(2)
        y, x = 5 * low, 5 * right
        picture[y : y + 3, x : x + 3] = colors[str(name)]
        texts.append(f"a {name} square at the {('upper', 'lower')[low]} {('left', 'right')[right]}")
    return pictures, texts


def small(texts, pictures, **options):
    sizes = {"channels": (8, 16), "embedding_size": 16, "hidden_size": 32, "dropout": 0.1, "seed": 1}
    return Captioner.from_pairs(pictures, texts, **sizes | options)


def test_it_learns_to_describe_and_to_find_pictures():
    pictures, texts = drawings(300, 0)
    kept = [i for i, text in enumerate(texts) if "green square at the lower left" not in text]
    found = small(texts, pictures)
    assert found.picture_size == (8, 8)
    history = found.fit(
        pictures[kept],
        [texts[i] for i in kept],
        drawings(40, 1),
        epochs=15,
        batch_size=16,
        learning_rate=5e-3,
        progress=False,
    )
    assert history.losses[-1] < history.losses[0]
    fresh = drawings(60, 2)
    evaluation = found.evaluate(*fresh, beam=3)
    assert evaluation.exact >= 0.9
    unseen = [i for i, text in enumerate(fresh[1]) if "green square at the lower left" in text]
    assert found.describe(fresh[0][unseen[0]]) == fresh[1][unseen[0]]
    best = found.rank("a blue square at the upper right", fresh[0])
    assert fresh[1][best[0][0]] == "a blue square at the upper right"
    alpha = found.write(fresh[0][:1])[0][0].attention
    assert alpha.shape == (7, 16) and found.grid == (4, 4)


class Break(rnnrs.train.Callback):
    def on_step(self, trainer, record):
        if record.step == 7:
            raise KeyboardInterrupt


def run(tmp_path, found, breaks=(), **options):
    settings = {
        "epochs": 3,
        "batch_size": 8,
        "augmentation": Augmentation(shift=1, flip=True),
        "progress": False,
        "callbacks": breaks,
    }
    pictures, texts = drawings(32, 3)
    return found.fit(pictures, texts, drawings(8, 4), **settings | options)


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    pictures, texts = drawings(32, 3)
    whole = small(texts, pictures)
    history = run(tmp_path, whole)
    for breaks, within in (([Break()], False), ([], True)):
        broken = small(texts, pictures)
        if within:  # Ctrl-C in the backward pass, after batch normalization has updated its averages
            calls, back = [], broken.network.read_backward

            def interrupted(*given, calls=calls, back=back):
                back(*given)
                calls.append(1)
                if len(calls) == 6:
                    raise KeyboardInterrupt

            broken.network.read_backward = interrupted
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, broken, breaks, checkpoint=tmp_path / "c")
        again = Captioner.load(tmp_path / "c")
        resumed = run(tmp_path, again, checkpoint=tmp_path / "c", resume=tmp_path / "c")
        np.testing.assert_array_equal(again.parameters.flat, whole.parameters.flat)
        np.testing.assert_array_equal(resumed.losses, history.losses)
        assert again.settings == whole.settings
        assert whole.settings.augmentation == Augmentation(flip=True, shift=1, noise=0.02)
    with pytest.raises(
        ValueError, match=r"augmentation: expected .*'shift': 1.*as when the run began, got None"
    ):
        run(tmp_path, small(texts, pictures), augmentation=None, resume=tmp_path / "c", epochs=4)


def test_training_ends_with_the_best_parameters(capsys):
    pictures, texts = drawings(24, 5)
    found, losses = small(texts, pictures), []

    class Watch(rnnrs.train.Callback):
        def on_validation(self, trainer, loss):
            losses.append(loss)

    held_out = drawings(8, 6)
    settings = {"epochs": 30, "learning_rate": 0.05, "batch_size": 8, "progress": False}
    found.fit(pictures, texts, held_out, patience=3, callbacks=[Watch()], examples=2, **settings)
    assert found.evaluate(*held_out).loss == pytest.approx(min(losses), rel=1e-5)
    assert "picture 7" in (shown := capsys.readouterr().err) and f"wanted  {held_out[1][7]}" in shown
    with pytest.raises(ValueError, match="patience: expected None without validation"):
        found.fit(pictures, texts, patience=3, **settings)


def test_vocabularies_of_other_levels():
    pictures, texts = drawings(20, 7)
    spelled = small(texts, pictures, level="char")
    spelled.fit(pictures, texts, epochs=1, progress=False)
    assert spelled.log_prob(pictures[0], texts[0]) < 0
    assert len(spelled.describe(pictures[0], beam=1, max_length=9)) <= 9
    assert small([t.upper() for t in texts], pictures, vocabulary={"lowercase": True}).vocabulary.lowercase
    with pytest.raises(ValueError, match="level: expected one of char, word, subword, token, got 'line'"):
        small(texts, pictures, level="line")
