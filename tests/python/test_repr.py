"""Representations say what objects are, in at most 2 kB, however large they are."""

import copy
import dataclasses
import inspect
import pkgutil
import sys
import tempfile
from importlib import import_module

import numpy as np
import pytest
import small_applications as small
import small_regions

import rnnrs
from rnnrs import Trainer, data, decoding, losses, metrics, modelfile, models, nn, optim, serve, text, train
from rnnrs.data import Batch
from rnnrs.gradcheck import gradient_check
from rnnrs.inspection.unfold import unfold
from rnnrs.models import RecurrentNetwork, VectorToSequence
from rnnrs.train import Callback

DRAW = np.random.default_rng(0)
MOST = 2000


class Keeping(Callback):
    def on_step(self, run, record):
        self.run, self.record = copy.copy(run), record


def public_classes():
    """Returns the classes that `rnnrs` and its folders export."""
    modules = [
        rnnrs,
        *(import_module(f"rnnrs.{m.name}") for m in pkgutil.iter_modules(rnnrs.__path__) if m.ispkg),
    ]
    found = {}
    for module in modules:
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if (
                inspect.isclass(value)
                and value.__module__.startswith("rnnrs.")
                and ".cli" not in value.__module__
            ):
                found[value.__name__] = value
    return found


def large_layers():
    cells = [nn.RNN, nn.LSTM, nn.GRU]
    yield from (cell(60, 300, layer_norm=True) for cell in cells)
    yield nn.Stack(*(nn.Bidirectional(nn.GRU(80, 40), nn.GRU(80, 40, seed=i)) for i in range(60)))
    yield nn.Sequential(
        *(layer for i in range(40) for layer in (nn.Conv2d(3, 3, 3), nn.BatchNorm(3), nn.MaxPool2d(2)))
    )
    yield from (nn.Linear(500, 900), nn.Embedding(3000, 50), nn.TiedLinear(nn.Embedding(3000, 50)))
    yield from (
        nn.AdaptiveSoftmax(64, 5000, cutoffs=list(range(100, 5000, 100))),
        nn.Attention(50, 40, "additive"),
    )
    yield from (
        nn.AttentionPooling(300),
        nn.Pooling("last"),
        nn.Dropout(0.5),
        nn.MeanPool2d(2),
        nn.GlobalPool2d(),
        nn.RegionPooling(7),
    )
    yield nn.JordanRNN(30, 200, 400)


def caches():
    x, ids = DRAW.normal(size=(50, 20, 60)), DRAW.integers(0, 90, (50, 20))
    lengths = DRAW.integers(1, 51, 20)
    for cell in (nn.RNN, nn.LSTM, nn.GRU):
        layer = cell(60, 30, recurrent_dropout=0.1)
        yield layer.forward(x, lengths=lengths, noise=1)[1]
        yield layer.forward_tokens(nn.Embedding(90, 60), ids, lengths=lengths)[1]
    stack = nn.Stack(nn.GRU(60, 40), nn.Bidirectional(nn.LSTM(40, 10), nn.LSTM(40, 10)))
    yield stack.forward(x, lengths=lengths)[1]
    yield nn.Linear(60, 90).forward(x)[1]
    yield nn.Attention(60, 60, "additive").forward(x, x)[1]
    yield nn.Conv2d(3, 8, 3).forward(np.zeros((40, 16, 16, 3)))[1]
    yield nn.Sequential(nn.Conv2d(3, 8, 3), nn.MaxPool2d(2), nn.BatchNorm(8)).forward(
        np.zeros((40, 16, 16, 3))
    )[1]
    yield nn.JordanRNN(60, 30, 40).forward(x)[1]
    for pooling in (nn.Pooling("max"), nn.AttentionPooling(60)):
        yield pooling.forward(x, lengths)[1]
    head = nn.AdaptiveSoftmax(60, 90, cutoffs=[30, 60])
    yield head.forward(x[:2])[1]
    o = DRAW.normal(size=(50, 20, 90))
    yield losses.SoftmaxCrossEntropy(class_weights=np.ones(90)).evaluate(o, ids)
    yield losses.SoftmaxCrossEntropy(class_weights=np.ones(90))
    yield from (losses.SquaredError("sum"), losses.AdaptiveCrossEntropy(), losses.CopyCrossEntropy())
    yield from (losses.SampledSoftmax(), losses.NCE(proposal=losses.Proposal.log_uniform(9000)))


def running(model, prompt):
    """A generation, and its first piece."""
    generation = model.generation()
    generation.add(prompt, logprobs=9)
    return generation, *(piece for _, piece in generation.step())


def small_network():
    kind = {"dtype": "float64"}
    return RecurrentNetwork(nn.RNN(6, 2, **kind), nn.Linear(2, 6, **kind), losses.SquaredError())


def runs():
    x = DRAW.normal(size=(30, 20, 6))
    network = RecurrentNetwork(nn.GRU(6, 30), nn.Linear(30, 6), losses.SquaredError())
    batches = [Batch(x, x, lengths=DRAW.integers(1, 31, 20), keys=np.arange(20))] * 300
    callbacks = [Keeping(), train.EarlyStopping(4), train.BestParameters(), *(Callback() for _ in range(300))]
    trainer = Trainer(network, optim.Adam(), callbacks=callbacks, schedule=optim.CosineDecay(300))
    history = trainer.fit(batches, epochs=1, validation=batches[:2])
    yield from (trainer, history, network, batches[0], trainer.optimizer, trainer.schedule)
    yield from (
        network.forward(x)[1],
        unfold(network, Batch(x, x)),
        gradient_check(small_network(), Batch(x[:2], x[:2])),
    )
    yield modelfile.ModelFile("network", {"x": list(range(9000))}, dict(network.parameters))
    vector = VectorToSequence(nn.GRU(9, 30), nn.Linear(30, 6), losses.SquaredError())
    yield from (vector, vector.forward(x[0, :, :6].repeat(2, axis=1)[:, :9], 30)[1])
    jordan = models.JordanNetwork(nn.JordanRNN(6, 30, 6))
    yield from (
        jordan,
        jordan.exposure_gap([Batch(x, x)]),
        jordan.forward(x)[1],
        losses.SigmoidCrossEntropy(),
    )
    yield train.ScheduledSampling(train.LinearForcing(100))


def batchers():
    rows = [DRAW.normal(size=(n, 7)) for n in range(1, 300)]
    ids = [DRAW.integers(0, 9, n) for n in range(1, 300)]
    stream = DRAW.integers(0, 9, 20_000)
    for each in (
        data.SequenceBatches(rows, [np.arange(len(r)) for r in rows], 60),
        data.SentenceBatches(ids, 60, 0),
        data.PairBatches(ids, ids, 60, 0),
        data.StreamBatches(stream, 20, 100),
        data.TruncatedBPTT.of_text(stream, 20, window=100),
        data.ArrayBatches(DRAW.normal(size=(50, 300, 7)), DRAW.normal(size=(50, 300, 7)), 100),
        data.WindowBatches(DRAW.normal(size=(3000, 7)), 50, 3, 60),
    ):
        yield from (each, each.epoch(0), each.epoch(0)[0])
    with tempfile.TemporaryDirectory() as folder:
        corpus = data.prepare_corpus(folder, texts=["a long line\n" * 3000])
        yield from (corpus, corpus.stream(), corpus.sentences())
    yield data.Series(DRAW.normal(size=(3000, 200)), tuple(f"column {i}" for i in range(200)))
    yield data.LabeledSequences(rows, ["a"] * 299, tuple("abc"), tuple("xyz"))
    long = data.RegionExample("x" * 9000, (data.Region(0, 0, 1, 1, "x" * 9000),) * 99)
    scenes = [*data.compose_scenes(30), long]
    yield from (scenes, data.read_region_pictures(scenes[:30], (96, 96)), data.placement(3, 4, (5, 6)))
    found = [[(*region, 0.5) for region in scene.regions] for scene in scenes]
    yield metrics.dense_average_precision(found, [scene.regions for scene in scenes])


def answers():
    long = "word " * 20_000
    for build in small.APPLICATIONS:
        model, given, held_out = build()
        keeping = Keeping()
        model.fit(*given, epochs=1, progress=False, callbacks=[keeping])
        held = held_out[0] if isinstance(held_out[0], tuple) else held_out
        yield from (
            model,
            getattr(model, "network", model),
            model.evaluate(*held),
            keeping.run,
            keeping.record,
        )
        yield model.settings
        if isinstance(model, models.LanguageModel):
            yield from (
                model.score(long),
                *model.rank(["a" * 9000, "b"]),
                model.suggest("The "),
                model.session(long),
                *model.generate_all([long], length=900, logprobs=9),
                *running(model, "The "),
                model.next_distribution("The"),
                model.vocabulary,
            )
            yield model.beam_search("The", constraints=decoding.Constraints(max_length=900), beam=3, n_best=3)
        if build is small.extractive_summarizer:
            yield (model.summarize(long), model.scores(long))
        if hasattr(model, "write"):
            sources = given[0][:2] if build is small.captioner else [source for source, _ in given[0]]
            yield from (model.write(sources), model.step_model(sources), model.search())
        if build is small.chatbot:
            yield from (model.reply("hello"), model.rank("hello", ["a" * 9000, "b"]), model.conversation())
            yield from (model.speak("inform(name='x')"), data.DialogueAct.parse("inform(name='x';area='y')"))
        if build is small.assistant:
            yield from (model.reply("thai " * 5000), model.session(), given[0], data.camrest())
            yield model._batches(given[0], given[0], model.settings, noisy=True).epoch(0)[0]
        if build is small.captioner:
            yield model._batches("test", *given, model.settings, changed=False).epoch(0)[0]
            yield model.rank("a red dog", given[0] * 1)
            yield model.network.look(np.zeros((30, 4, 4, 3), np.float32))


def regions():
    pictures, known = small_regions.scenes(30, 0)
    found = small_regions.small(pictures, known)
    found.fit(pictures, known, epochs=1, progress=False)
    batches = found._batches("test", pictures, known, found.settings, changed=True)
    network, seen = found.network, found.network.see(np.zeros((9, 32, 32, 3), np.float32))
    yield from (found, network, batches, batches.epoch(0)[0], seen, network.find(seen, 5))
    yield from (network.read(batches.epoch(0)[0]), network.read(batches.epoch(0)[0]).reader.proposals)
    boxes = np.ones((300, 4)) * 9
    yield from (found.describe_regions(pictures[0], boxes), found.rank("a " * 9000, pictures[:2]))
    yield found.evaluate(pictures, known)


def objects():
    yield from large_layers()
    yield from caches()
    yield from runs()
    yield from batchers()
    yield from answers()
    yield from regions()
    words = " ".join(f"word{i}" for i in range(9000))
    for level in ("char", "word"):
        yield text.build_vocabulary(level, words * 2)
    yield from (rule() for rule in optim.OPTIMIZERS.values())
    yield serve.Limits()


def reachable(value, seen, depth=0):
    """Yields an object of the package, and those within it."""
    if id(value) in seen or depth > 6:
        return
    seen[id(value)] = value
    if type(value).__module__.startswith("rnnrs."):
        yield value
        inner = list(value) if isinstance(value, tuple) else []
        inner += (
            [getattr(value, f.name) for f in dataclasses.fields(value)]
            if dataclasses.is_dataclass(value)
            else []
        )
        inner += list(getattr(value, "__dict__", {}).values())
    elif isinstance(value, (list, tuple)):
        inner = value[:50]
    elif isinstance(value, dict):
        inner = list(value.values())[:50]
    else:
        return
    for part in inner:
        yield from reachable(part, seen, depth + 1)


#: Exported classes of which no object is made here: abstract, protocols, errors, files, some numbers.
NOT_MADE = {
    "Augmentation", "Constant", "ConstantForcing", "Constraints", "ExponentialDecay", "ExponentialForcing",
    "InverseSigmoidForcing", "Lexicon", "LinearDecay", "Linearized", "Sampling", "SlotError", "StepDecay",
    "TextStates", "TextToText", "Threshold", "TokenVocabulary",
    "AdaptiveStepper", "Answering", "BestCheckpoint", "CSVLog", "Cache", "Captions", "Checkable",
    "Communicator", "Composite", "ContinuousCache", "CopyEvaluation", "Criterion", "DTypeError", "Data",
    "DescribedPictures", "Emoji", "Examples", "FormatError", "Following", "GradientMonitor", "Interval",
    "JacobianNorms", "Layer", "Loss",
    "MissingExtraError", "Model", "NgramCache", "NonFiniteError", "Optimizer", "PairReport",
    "PictureFeatures", "Pictures", "ProgressBar", "RankError", "Recurrent", "Run", "ShapeError", "StepModel",
    "Stopped", "SubwordVocabulary", "Vocabulary",
}  # fmt: skip


def test_every_representation_is_short_and_names_the_class():
    seen, kinds = {}, set()
    for value in objects():
        for one in reachable(value, seen):
            shown = repr(one)
            kinds.add(type(one).__name__)
            assert len(shown) <= MOST, (type(one), len(shown))
            assert type(one).__name__ in shown or type(one).__name__.startswith("_"), shown
    missing = public_classes().keys() - kinds - NOT_MADE
    assert not missing, f"no object was made of {sorted(missing)}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (nn.GRU(3, 4), "GRU(input_size=3, hidden_size=4, state_size=4"),
        (optim.Adam(0.1), "Adam(learning_rate=0.1, betas=[0.9, 0.999]"),
        (Batch(np.zeros((5, 2, 3)), np.zeros((5, 2), int)), "Batch(inputs=float64 (5, 2, 3), targets=int64 (5, 2), "),
        (train.History(), "History(steps=0, validations=0)"),
        (data.StreamBatches(np.arange(100), 3, 11), "StreamBatches(batches=3, batch_size=3, steps=11)"),
        (models.Forecaster(2, horizon=3), "Forecaster(horizon=3, transform='none', difference=0, hidden_size=32"),
        (losses.SoftmaxCrossEntropy("sum"), "SoftmaxCrossEntropy(reduction='sum', ignore_id=-1"),
        (nn.Parameters({f"p{i}": (2,) for i in range(999)}), "Parameters(1998 float32: p0 (2,), "),
    ],
)  # fmt: skip
def test_what_a_representation_says(value, expected):
    assert repr(value).startswith(expected)
    assert sys.getsizeof(repr(value)) <= 4 * MOST


@pytest.mark.parametrize("build", small.APPLICATIONS)
def test_an_untrained_model_does_not_answer(build, tmp_path):
    model, given, _ = build()
    calls = {
        "predict": [given[0]], "predict_proba": [given[0]], "predict_log_proba": [given[0]],
        "generate": ["The"], "generate_all": [["The"]], "generation": [], "predict_all": [[given[0]]],
        "stream": ["The"], "suggest": ["The"], "suggest_all": [["The"]], "translate": ["The"],
        "translate_all": [["The"]], "summarize": ["The"], "summarize_all": [["The"]], "describe": [given[0][0]],
        "describe_all": [given[0]], "reply": ["hello"], "reply_all": [["hello"]], "speak": ["inform(name='x')"],
        "speak_all": [["inform(name='x')"]],
        "rank": ["a red dog", given[0]] if build is small.captioner else ["hello", ["a", "b"]],
    }  # fmt: skip
    if isinstance(model, models.LanguageModel):
        calls["rank"] = [["a", "b"]]
    answering = {name: arguments for name, arguments in calls.items() if hasattr(model, name)}
    assert answering or build is small.seq2seq
    for name, arguments in answering.items():
        kind = type(model).__name__
        with pytest.raises(
            ValueError, match=rf"^{kind}.{name}: expected a trained model.*`fit`.*`{kind}.load`"
        ):
            getattr(model, name)(*arguments)
    model.save(tmp_path / "x.rnn")
    loaded = rnnrs.load(tmp_path / "x.rnn")
    model.fit(*given, epochs=1, progress=False)
    for each in (loaded, model, copy.deepcopy(model)):
        for name, arguments in answering.items():
            getattr(each, name)(*arguments)
