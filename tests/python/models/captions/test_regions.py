"""Captioner of regions: gradients, training, descriptions with and without boxes, grounding, files."""

import numpy as np
import pytest
from small_captioner import worst_slope
from small_regions import scenes, small

import rnnrs
from rnnrs.data import Region
from rnnrs.models import Augmentation, Captioner, FoundRegion, RegionEvaluation
from rnnrs.models.captions.regions.grounding import likeliest_phrases, parts_of
from rnnrs.models.writer.steps import DecoderSteps

PICTURES = np.random.default_rng(2).integers(0, 256, (3, 16, 12, 3), np.uint8)
REGIONS = [
    [Region(1, 2, 6, 7, "a red dot"), Region(5, 4, 6, 9, "two dots")],
    [],
    [Region(0, 0, 12, 16, "a dot")],
]


def tiny(**options):
    sizes = {"channels": (3, 4, 5), "hidden_size": 4, "embedding_size": 3, "dtype": "float64", "seed": 2}
    return Captioner.from_pairs(PICTURES, REGIONS, regions=True, **sizes | options)


def batch_of(found, changed=True):
    return found._batches("test", PICTURES, REGIONS, found.settings_of({}), changed=changed).epoch(0)[0]


@pytest.mark.parametrize(
    "options", [{}, {"attention": None, "channels": (3, 4)}, {"convolutions": 2, "layers": 2}]
)
def test_gradients_of_the_whole_model(options):
    found = tiny(dropout=0.2, label_smoothing=0.1, **options)
    worst, gradients = worst_slope(found, batch_of(found), noise=3)
    assert worst <= 1e-6
    still = {name for name, g in gradients.items() if not g.any()}
    assert still == {name for name in gradients if name.endswith(("mean", "variance"))}


def test_the_loss_is_that_of_the_words_and_of_the_localization():
    found = tiny(dropout=0.0)
    batch = batch_of(found, changed=False)
    network = found.network
    words = -sum(
        phrase_log_prob(found, PICTURES[i], region) for i, own in enumerate(REGIONS) for region in own
    )
    proposals = network.localization.forward(network.see(batch.pictures).map)
    located = network.localization.loss(proposals, batch.boxes, batch.owners)[0]
    assert found.loss(batch, gradient=False)[0] == pytest.approx(
        (words + located) / batch.positions, rel=1e-9
    )


def phrase_log_prob(found, picture, region):
    """ln P of the region's own phrase, step by step."""
    network = found.network
    seen = network.see(picture[None] / 255)
    encoded = network.look_at(seen, np.array([region[:4]]), np.zeros(1, int))
    steps = DecoderSteps(network, found.vocabulary, found.decoder(), encoded)
    total, before = 0.0, found.vocabulary.end_id
    for id in [*found.vocabulary.encode(region.phrase).tolist(), found.vocabulary.end_id]:
        o = steps.step([before], [0])[0]
        total += o[id] - np.log(np.exp(o - o.max()).sum()) - o.max()
        before = id
    return total


@pytest.fixture(scope="module")
def trained():
    found = small(*scenes(120, 0))
    history = found.fit(
        *scenes(120, 0), scenes(30, 1), epochs=8, batch_size=16, learning_rate=6e-3, progress=False
    )
    assert history.losses[-1] < history.losses[0]
    return found


def test_it_learns_to_find_describe_and_ground_regions(trained):
    pictures, regions = scenes(40, 2)
    result = trained.evaluate(pictures, regions, beam=1)
    assert isinstance(result, RegionEvaluation) and str(result).startswith("known boxes: exact ")
    assert result.exact >= 0.9 and result.dense.mean >= 0.5 and result.grounded >= 0.85
    assert result.dense_cider.mean >= result.dense.mean - 0.05 and len(result.found) == 40
    assert len(result.phrases) == sum(map(len, regions)) and result.perplexity < 2
    i = next(i for i, own in enumerate(regions) if len({r.phrase for r in own}) == 2)
    one, other = regions[i]
    for sentence in (f"{one.phrase} and {other.phrase}.", [one.phrase, other.phrase]):
        found = trained.ground(pictures[i], sentence)
        assert [region.phrase for region in found] == [one.phrase, other.phrase]
    capital = trained.ground(pictures[i], f"{one.phrase.capitalize()} and {other.phrase}")
    assert [region[:4] for region in capital] == [region[:4] for region in found]
    assert capital[0].phrase == one.phrase.capitalize() and capital[0].score == found[0].score
    best = trained.rank(one.phrase, pictures[: i + 1])
    assert best[0].region.phrase == one.phrase and best[0].log_prob == best[0].region.score
    assert one.phrase in {region.phrase for region in regions[best[0].place]}


def test_given_boxes_are_described_in_their_order_and_found_ones_by_score(trained):
    pictures, regions = scenes(6, 3)
    for picture, own in zip(pictures, regions, strict=True):
        boxes = [region[:4] for region in own]
        found = trained.describe_regions(picture, boxes)
        assert [region[:4] for region in found] == [tuple(map(float, box)) for box in boxes]
        assert trained.describe_regions(picture, boxes[::-1]) == found[::-1]
        assert trained.describe_regions(picture, []) == []
        scores = [region.score for region in trained.describe_regions(picture, n=4)]
        assert scores == sorted(scores, reverse=True) and len(scores) <= 4
        assert isinstance(found[0], FoundRegion) and found[0].score < 0
    clipped = trained.describe_regions(pictures[0], [[-3, -2, 20, 20]])[0]
    assert clipped[:4] == (0, 0, 17, 18)


def test_no_result_depends_on_other_pictures_or_threads(trained, monkeypatch):
    pictures, regions = scenes(9, 4)
    boxes = [[region[:4] for region in own] for own in regions]
    before = rnnrs.get_num_threads()
    alone = [trained.describe_regions(picture) for picture in pictures]
    given = [trained.describe_regions(*pair) for pair in zip(pictures, boxes, strict=True)]
    try:
        for threads in (1, 3):
            rnnrs.set_num_threads(threads)
            assert trained.describe_all_regions(pictures) == alone
            assert trained.describe_all_regions(pictures, boxes) == given
    finally:
        rnnrs.set_num_threads(before)
    phrases = [own[0].phrase for own in regions]
    ranked = trained.rank(phrases[0], pictures)
    monkeypatch.setattr(rnnrs.models.captions.evaluation, "PIXELS", 3 * 32 * 32)
    assert trained.describe_all_regions(pictures) == alone
    assert trained.rank(phrases[0], pictures) == ranked
    assert {r.place: r.region for r in ranked}[4] == trained.ground(pictures[4], [phrases[0]])[0]


def test_as_many_regions_are_sought_as_are_known(trained, monkeypatch):
    sought = []
    described = type(trained)._described
    monkeypatch.setattr(
        type(trained), "_described", lambda *given: sought.append(given[4]) or described(*given)
    )
    picture = scenes(1, 6)[0]
    for count, most in ((2, 32), (40, 40)):
        trained.evaluate(picture, [[(i % 8, i // 8, 5, 5, "a red square") for i in range(count)]], beam=1)
        assert sought[-1] == most


def test_a_file_holds_the_model(trained, tmp_path):
    picture = scenes(1, 5)[0][0]
    trained.save(tmp_path / "regions.rnn")
    loaded = rnnrs.load(tmp_path / "regions.rnn")
    assert isinstance(loaded, Captioner) and loaded.regions
    assert loaded.describe_regions(picture) == trained.describe_regions(picture)
    assert loaded.settings == trained.settings and len(repr(loaded)) < 2000


class Break(rnnrs.train.Callback):
    def on_step(self, trainer, record):
        if record.step == 3:
            raise KeyboardInterrupt


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    pictures, regions = scenes(16, 6)
    settings = {
        "epochs": 2,
        "batch_size": 6,
        "augmentation": Augmentation(shift=1, flip=True),
        "progress": False,
    }
    whole, broken = small(pictures, regions), small(pictures, regions)
    whole.fit(pictures, regions, 0.2, **settings)
    path = tmp_path / "run.rnn"
    with pytest.raises(KeyboardInterrupt):
        broken.fit(pictures, regions, 0.2, checkpoint=path, callbacks=[Break()], **settings)
    again = Captioner.load(path)
    again.fit(pictures, regions, 0.2, checkpoint=path, resume=path, **settings)
    assert np.array_equal(again.parameters.flat, whole.parameters.flat)
    with pytest.raises(ValueError, match="expected the data with which the run began"):
        moved = [[Region(r.x, r.y, r.w - 1, r.h, r.phrase) for r in own] for own in regions]
        again.fit(pictures, moved, 0.2, resume=path, **settings | {"epochs": 3})


def test_boxes_change_in_training_by_seed_and_epoch_alone():
    found = small(*scenes(8, 7))

    def seen(epoch, seed=0, changed=True):
        settings = found.settings_of({"seed": seed, "batch_size": 99})
        batch = found._batches("test", *scenes(8, 7), settings, changed=changed).epoch(epoch)[0]
        order = np.argsort(batch.keys)
        return batch.seen[order], batch.boxes[order]

    one, boxes = seen(0)
    assert np.array_equal(one, seen(0)[0]) and not np.array_equal(one, seen(1)[0])
    assert not np.array_equal(one, seen(0, seed=1)[0])
    sides = boxes[:, [2, 3, 2, 3]]
    assert (np.abs(one - boxes) <= 0.2 * sides + 1e-9).all() and (one != boxes).any(axis=1).all()
    assert np.array_equal(*seen(0, changed=False))


def test_a_batch_has_about_as_many_phrases_as_its_size():
    pictures, regions = scenes(40, 7)
    found = small(pictures, regions)
    for size, fewest, most in ((12, 8, 16), (2, 4, 8)):
        batches = found._batches(
            "test", pictures, regions, found.settings_of({"batch_size": size}), changed=True
        )
        counts = [len(batch.owners) for batch in batches.epoch(0)[:-1]]
        assert fewest <= np.mean(counts) <= most and sum(counts) <= sum(map(len, regions))
        assert all(len(batch.pictures) >= 4 for batch in batches.epoch(0)[:-1])


def test_examples_are_shown_and_pictures_without_regions_are_background(capsys):
    pictures, regions = scenes(8, 8)
    regions[3] = []
    small(pictures, regions).fit(
        pictures, regions, (pictures, regions), epochs=1, batch_size=8, examples=2, progress=False
    )
    shown = capsys.readouterr().err
    assert "picture 0, x " in shown and f"wanted  {regions[0][0].phrase}" in shown


def test_a_sentence_is_divided_where_its_phrases_are():
    assert parts_of("...") == [(0, 3)]
    assert parts_of("مربع أحمر، إطار") == [(0, 9), (11, 15)] and parts_of("红色的方块、框") == [
        (0, 5),
        (6, 7),
    ]
    likely = {
        "woman: light skin tone, beard": -1.0,
        "a cat": -1.0,
        "dog": -2.0,
        "woman: light skin tone": -1.0,
    }
    asked = []

    def scores(phrases):
        asked.extend(phrases)
        return np.array([likely.get(phrase, -9.0) for phrase in phrases])

    sentence = "woman: light skin tone, beard, a cat and dog."
    assert likeliest_phrases(sentence, scores) == ["woman: light skin tone, beard", "a cat", "dog"]
    assert "beard, a cat and dog" in asked and "a cat and dog" in asked


PICTURE = np.zeros((32, 32, 3), np.uint8)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (
            lambda m: m.describe_regions(PICTURE, np.zeros(3)),
            ValueError,
            r"describe_regions: boxes: expected an \(N, 4\)",
        ),
        (
            lambda m: m.describe_regions(PICTURE, [[0, 0, 0, 1]]),
            ValueError,
            r"boxes\[0\]: expected a width and height",
        ),
        (
            lambda m: m.describe_regions(PICTURE, [[0, 0, np.inf, 1]]),
            ValueError,
            r"boxes\[0\]: expected finite",
        ),
        (
            lambda m: m.describe_regions(PICTURE, [[30, 0, 9, 9]]),
            ValueError,
            r"at least half of which is within",
        ),
        (lambda m: m.describe_regions(PICTURE, n=0), ValueError, "n: expected a whole number from 1, got 0"),
        (lambda m: m.describe_regions(PICTURE, wide=1), TypeError, "unexpected option 'wide'"),
        (lambda m: m.describe_regions(PICTURE[None]), ValueError, "describe_regions: picture"),
        (
            lambda m: m.describe_all_regions([PICTURE], []),
            ValueError,
            "boxes: expected some for each of 1 pictures",
        ),
        (
            lambda m: m.describe_all_regions([PICTURE], 5),
            TypeError,
            "boxes: expected some for each picture, got 5",
        ),
        (lambda m: m.ground(PICTURE, " "), ValueError, "Captioner.ground: sentence: expected some text"),
        (lambda m: m.ground(PICTURE, []), TypeError, "Captioner.ground: sentence: expected a sentence"),
        (
            lambda m: m.ground(PICTURE, [1]),
            TypeError,
            r"Captioner.ground: sentence\[0\]: expected a string, got 1",
        ),
        (
            lambda m: m.fit([PICTURE], [["a"]]),
            TypeError,
            r"regions\[0\]\[0\]: expected \(x, y, w, h, phrase\)",
        ),
        (lambda m: m.fit([PICTURE], [[]]), ValueError, "regions: expected at least one, got none"),
        (
            lambda m: m.fit([PICTURE], []),
            ValueError,
            "regions: expected a list for each of 1 pictures, got 0",
        ),
        (
            lambda m: m.fit([PICTURE], [[(0, 0, 5, 5, " ")]]),
            ValueError,
            r"regions\[0\]\[0\]: phrase: expected some",
        ),
        (
            lambda m: m.fit([PICTURE], [[(0, "0", 5, 5, "a")]]),
            TypeError,
            r"regions\[0\]\[0\]: y: expected a number",
        ),
        (
            lambda m: m.fit([PICTURE], [iter([(0, 0, 5, 5, "a")])]),  # it could be read only once
            TypeError,
            r"regions\[0\]: expected a list of regions",
        ),
        (
            lambda m: m.describe_regions(PICTURE, search=3),
            TypeError,
            "describe_regions: search: expected a Search or None, got 3",
        ),
        (lambda m: m.evaluate([PICTURE], "a"), TypeError, "evaluate: regions: expected a list of regions"),
        (
            lambda m: Captioner(m.vocabulary, regions=True, features=4),
            ValueError,
            "regions: expected False with",
        ),
        (lambda m: Captioner(m.vocabulary, regions=1), TypeError, "regions: expected True or False, got 1"),
        (lambda m: Captioner(m.vocabulary, regions=True, channels=[4]), ValueError, "expected 2 to 6 stages"),
    ],
)
def test_bad_input(trained, call, error, words):
    with pytest.raises(error, match=words):
        call(trained)


def test_untrained_models_and_models_of_pictures_refuse():
    found = small(*scenes(2, 9))
    with pytest.raises(ValueError, match="describe_regions: expected a trained model"):
        found.describe_regions(PICTURE)
    whole = Captioner.from_pairs([PICTURE], ["nothing"], channels=(4,))
    for call in (
        whole.describe_regions,
        lambda p: whole.ground(p, "a"),
        lambda p: whole.describe_all_regions([p]),
    ):
        with pytest.raises(ValueError, match="expected a model of regions, made with regions=True"):
            call(PICTURE)
