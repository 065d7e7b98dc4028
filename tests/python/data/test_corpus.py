"""Corpora on disk: the same ids, sentences and batches as in memory; stopped, damaged and foreign ones."""

import gzip
import io
import json
import os
import shutil
import sys
from itertools import groupby

import numpy as np
import pytest
import zstandard

from rnnrs.data import Corpus, SentenceBatches, StreamBatches, prepare_corpus
from rnnrs.data import corpus_preparation as preparation
from rnnrs.data.array_file import BLOCK, ArrayFile, ArrayWriter
from rnnrs.data.selection import GROUP, Selection
from rnnrs.errors import FormatError
from rnnrs.text import CharVocabulary, build_vocabulary

TEXT = "".join(
    f"{'the cat ' * (n % 5)}sat on “mat {n % 11}”, 你好.\n" + ("\n", " \t\n", "", "")[n % 4]
    for n in range(97)
)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Texts are read in many parts, as a large one is."""
    monkeypatch.setattr("rnnrs.reading._PART", 300)


def written(folder, text=TEXT, name="text.txt"):
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.fixture(scope="module")
def word_corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    return prepare_corpus(folder / "corpus", written(folder), level="word", vocabulary={"min_count": 1})


def same_batches(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            assert type(x) is type(y)
            if isinstance(x, np.ndarray):
                assert x.dtype == y.dtype
                np.testing.assert_array_equal(x, y)
            else:
                assert x == y


@pytest.mark.parametrize("text", [TEXT, TEXT.rstrip("\n"), "one line", "\n\na\n\n", "a\n \nb" + "\n" * 9])
@pytest.mark.parametrize("level", ["char", "word", "token"])
def test_a_corpus_holds_the_text(tmp_path, text, level):
    options = {} if level == "char" else {"min_count": 1}
    corpus = prepare_corpus(tmp_path / "corpus", written(tmp_path, text), level=level, vocabulary=options)
    vocabulary = build_vocabulary(level, text, options)
    assert corpus.vocabulary.to_config() == vocabulary.to_config()
    ids = corpus.ids(0, corpus.tokens)
    assert ids.dtype == np.uint16
    np.testing.assert_array_equal(ids, vocabulary.encode(text))
    np.testing.assert_array_equal(np.load(tmp_path / "corpus/ids.npy", mmap_mode="r"), ids)
    lines = text.split("\n")
    assert (corpus.lines, corpus.characters) == (len(lines), len(text))
    sentences = corpus.sentences()
    starts, lengths = sentences.places(0, len(sentences))
    full = [line for line in lines if line.strip()]
    assert [corpus.ids(a, a + n).tolist() for a, n in zip(starts, lengths, strict=True)] == [
        vocabulary.encode(line).tolist() for line in full
    ]
    assert sentences.characters() == sum(len(line) + 1 for line in full)
    assert corpus.stream().characters() == len(text)
    assert sorted(os.listdir(tmp_path / "corpus")) == ["corpus.json", "ids.npy", "lines.npy", "sentences.npy"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, lambda data: data])
def test_texts_from_anywhere_give_the_same_ids(tmp_path, monkeypatch, pack, word_corpus):
    options = {"level": "word", "vocabulary": {"min_count": 1}}
    (tmp_path / "packed").write_bytes(pack(TEXT.encode("utf-16")))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pack(TEXT.encode("utf-16")))))
    for corpus in (
        prepare_corpus(tmp_path / "a", tmp_path / "packed", encoding="utf-16", **options),
        prepare_corpus(tmp_path / "b", "-", encoding="utf-16", **options),
        prepare_corpus(tmp_path / "c", texts=iter(TEXT.splitlines(keepends=True)), **options),
    ):
        assert corpus.fingerprint() == word_corpus.fingerprint()
        assert len(os.listdir(corpus.folder)) == 4


def test_a_line_may_be_longer_than_a_part(tmp_path):
    text = "many words on one line " * 200 + "end.\nshort.\n"
    corpus = prepare_corpus(tmp_path / "corpus", written(tmp_path, text), level="word")
    np.testing.assert_array_equal(corpus.ids(0, corpus.tokens), corpus.vocabulary.encode(text))
    assert len(corpus.sentences()) == 2


def test_the_lines_of_a_stream_are_those_that_begin_in_it(word_corpus):
    lines = word_corpus.sentences()
    starts, _ = lines.places(0, len(lines))
    for first, last in ((0, word_corpus.tokens), (1, 50), (int(starts[3]), int(starts[9])), (3, 3)):
        found = word_corpus.stream(first, last).lines().places(0, 97)[0]
        assert found.tolist() == [start for start in starts.tolist() if first <= start < last]


def test_half_characters_are_replaced(tmp_path):
    corpus = prepare_corpus(tmp_path, texts=["a\ud800b\r\n"])
    assert corpus.vocabulary.decode(corpus.ids(0, 4)) == "a\ufffdb\n"


def test_large_vocabularies_have_wider_ids(tmp_path):
    vocabulary = CharVocabulary(["\n", "\ufffd", *map(chr, range(0x10000, 0x10000 + 65_535))])
    text = "a\U00010000\U0001fffe"
    corpus = prepare_corpus(tmp_path / "corpus", written(tmp_path, text), vocabulary=vocabulary)
    assert corpus.ids(0, 3).dtype == np.uint32
    assert corpus.ids(0, 3).tolist() == [1, 2, 65_536]


@pytest.mark.parametrize("block", [None, 1, 10, 96, 1000])
@pytest.mark.parametrize("epoch", [0, 3])
def test_sentences_are_batched_as_in_memory(word_corpus, block, epoch):
    vocabulary = word_corpus.vocabulary
    in_memory = [vocabulary.encode(line) for line in TEXT.split("\n") if line.strip()]
    one, other = (
        SentenceBatches(sentences, 7, vocabulary.end_id, 5, shuffle_block=block)
        for sentences in (in_memory, word_corpus.sentences())
    )
    same_batches(one.epoch(epoch), other.epoch(epoch))
    assert one.padding_share == other.padding_share
    assert one.epoch(epoch)[3].keys.tolist() == other.epoch(epoch)[3].keys.tolist()
    seen = np.concatenate([batch.keys for batch in other.epoch(epoch)])
    assert sorted(seen) == list(range(97))
    if block == 10:
        assert len(list(groupby(seen // 10))) == 10


def test_one_block_is_no_block(word_corpus):
    sentences, end = word_corpus.sentences(), word_corpus.vocabulary.end_id
    same_batches(
        SentenceBatches(sentences, 7, end, shuffle_block=97).epoch(2),
        SentenceBatches(sentences, 7, end).epoch(2),
    )
    blocks = SentenceBatches(sentences, 7, end, shuffle_block=30)
    assert len(blocks) == 5 + 5 + 5 + 1
    assert blocks.fingerprint() != SentenceBatches(sentences, 7, end).fingerprint()
    with pytest.raises(
        ValueError, match="SentenceBatches: shuffle_block: expected a whole number from 1, got 0"
    ):
        SentenceBatches(sentences, 7, end, shuffle_block=0)


@pytest.mark.parametrize(("batch", "steps"), [(1, 7), (5, 6), (9, 1000)])
def test_streams_are_batched_as_in_memory(word_corpus, batch, steps):
    ids = word_corpus.vocabulary.encode(TEXT)
    one, other = StreamBatches(ids, batch, steps), StreamBatches(word_corpus.stream(), batch, steps)
    same_batches(one.epoch(0), other.epoch(0))
    for a, b in zip(one.columns, other.columns, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not other.epoch(0)[0].inputs.flags.writeable


def test_fingerprints_tell_corpora_and_their_parts_apart(tmp_path, word_corpus):
    other = prepare_corpus(
        tmp_path / "corpus", written(tmp_path, TEXT + "a"), vocabulary=word_corpus.vocabulary
    )
    whole = word_corpus.sentences()
    some = word_corpus.sentences(whole.which.subset(np.arange(97) > 2))
    parts = [word_corpus, other, whole, some, word_corpus.stream(), word_corpus.stream(3)]
    assert len({part.fingerprint() for part in parts}) == len(parts)
    assert Corpus(word_corpus.folder).fingerprint() == word_corpus.fingerprint()


class Stopped(Exception):
    pass


@pytest.mark.parametrize("chunk", [0, 3, 9])
def test_a_stopped_preparation_goes_on_where_it_was(tmp_path, monkeypatch, word_corpus, chunk):
    path, folder, encoded = written(tmp_path), tmp_path / "corpus", []
    monkeypatch.setattr(preparation, "_EVERY", 0.0)  # every chunk is kept
    original = preparation._Files.append

    def append(self, found):
        encoded.append(found)
        if len(encoded) == chunk + 2:
            self._writers["ids.npy"].append(found.ids)  # as if it had been killed in between
            raise Stopped
        original(self, found)

    monkeypatch.setattr(preparation._Files, "append", append)
    options = {"level": "word", "vocabulary": {"min_count": 1}}
    with pytest.raises(Stopped):
        prepare_corpus(folder, path, **options)
    with pytest.raises(FormatError, match="expected a corpus, got one that is half prepared"):
        Corpus(folder)
    total = len(encoded)
    monkeypatch.setattr(preparation, "build_vocabulary", None)  # the vocabulary is there
    found = prepare_corpus(folder, path, **options)
    assert found.fingerprint() == word_corpus.fingerprint()
    assert len(encoded) - total < 30 - chunk
    assert prepare_corpus(folder, path, **options).fingerprint() == word_corpus.fingerprint()


@pytest.mark.parametrize("name", ["vocabulary.json", "ids.npy", "lines.npy"])
def test_a_stopped_preparation_that_is_damaged_begins_anew(tmp_path, monkeypatch, word_corpus, name):
    path, folder = written(tmp_path), tmp_path / "corpus"
    monkeypatch.setattr(preparation, "_EVERY", 0.0)

    def stop(*arguments):
        raise Stopped

    options = {"level": "word", "vocabulary": {"min_count": 1}}
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(preparation._Files, "finish", stop)
        prepare_corpus(folder, path, **options)
    os.truncate(folder / name, 9)
    assert prepare_corpus(folder, path, **options).fingerprint() == word_corpus.fingerprint()


def test_a_damaged_corpus_is_prepared_again_if_asked(tmp_path, damaged, word_corpus):
    change(damaged / "lines.npy", 200, 1)
    options = {"level": "word", "vocabulary": {"min_count": 1}}
    path = word_corpus.request["texts"][0][0]
    with pytest.raises(FormatError, match="damaged"):
        prepare_corpus(damaged, path, **options)
    assert prepare_corpus(damaged, path, force=True, **options).fingerprint() == word_corpus.fingerprint()


def test_a_text_that_changes_between_the_passes_is_refused(tmp_path, monkeypatch):
    path = written(tmp_path)
    build = preparation.build_vocabulary

    def build_and_change(*arguments, **options):
        vocabulary = build(*arguments, **options)
        written(tmp_path, TEXT.replace("cat", "dog", 1))
        return vocabulary

    monkeypatch.setattr(preparation, "build_vocabulary", build_and_change)
    with pytest.raises(FormatError, match=r"text\.txt: expected the same text in each pass"):
        prepare_corpus(tmp_path / "corpus", path)
    assert not (tmp_path / "corpus/corpus.json").exists()


def test_a_corpus_is_replaced_only_if_asked(tmp_path):
    path, folder = written(tmp_path), tmp_path / "corpus"
    first = prepare_corpus(folder, path)
    with pytest.raises(FileExistsError, match="was prepared from other texts or with other options"):
        prepare_corpus(folder, path, level="word")
    assert Corpus(folder).fingerprint() == first.fingerprint()
    assert prepare_corpus(folder, path, level="word", force=True).vocabulary.level == "word"
    own = prepare_corpus(folder, path, vocabulary=Corpus(folder).vocabulary)  # what is there already
    assert own.request["level"] == "word"
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(
        FileExistsError, match=r"expected a corpus or an empty folder, got one with notes\.txt"
    ):
        prepare_corpus(folder, path, force=True)


@pytest.fixture
def damaged(tmp_path, word_corpus):
    """Returns a copy of a corpus."""
    return shutil.copytree(word_corpus.folder, tmp_path / "corpus")


def change(path, place, byte):
    data = bytearray(path.read_bytes())
    data[place] ^= byte
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["ids.npy", "lines.npy", "sentences.npy"])
def test_damaged_files_are_refused(damaged, monkeypatch, name):
    path = damaged / name
    change(path, 200, 1)
    with pytest.raises(FormatError, match=f"{name}: damaged: expected the recorded checksum"):
        Corpus(damaged)
    monkeypatch.setattr("rnnrs.data.corpus.CHEAP", 10)
    corpus = Corpus(damaged)
    with pytest.raises(FormatError, match=f"{name}: damaged"):
        corpus.verify()
    with pytest.raises(FormatError, match=f"{name}: damaged"):
        Corpus(damaged, verify=True)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match=f"{name}: expected .* bytes, got"):
        Corpus(damaged)
    path.write_bytes(b"text")
    with pytest.raises(FormatError, match=rf"{name}: expected a \.npy file"):
        Corpus(damaged)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=name):
        Corpus(damaged)


def test_a_file_that_shrinks_is_an_error(damaged):
    corpus = Corpus(damaged)
    os.truncate(damaged / "ids.npy", 300)
    with pytest.raises(FormatError, match=r"ids\.npy: expected .* more bytes at offset 300, got none"):
        corpus.ids(0, corpus.tokens)
    with pytest.raises(IndexError, match="expected rows from 0 to"):
        corpus.ids(0, corpus.tokens + 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "written by a newer rnnrs"),
        ({"version": "1"}, "version: expected a whole number from 1, got '1'"),
        ({"format": "other"}, "expected the description of a corpus"),
        ({"counts": {"tokens": 3}}, "damaged: counts or files is not as expected"),
        ({"files": {}}, "damaged: counts or files is not as expected"),
        ({"undercount": None}, "damaged: undercount is not as expected"),
        ({"vocabulary": {"level": "word", "tokens": 1}}, "vocabulary: damaged"),
        ({"counts": {"tokens": 1, "characters": 1, "lines": 1}}, "expected uint16 of shape .1,., got"),
    ],
)
def test_other_descriptions_are_refused(damaged, change, message):
    path = damaged / "corpus.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FormatError, match=message):
        Corpus(damaged)
    path.write_text("{")
    with pytest.raises(FormatError, match=r"corpus\.json: damaged"):
        Corpus(damaged)


def test_what_is_not_a_corpus_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"expected a corpus, got a folder without corpus\.json"):
        Corpus(tmp_path)
    with pytest.raises(FileNotFoundError):
        Corpus(tmp_path / "none")
    with pytest.raises(NotADirectoryError):
        Corpus(written(tmp_path))


def test_wrong_calls_are_named(tmp_path):
    path = written(tmp_path)
    with pytest.raises(ValueError, match="prepare_corpus: paths: expected files or texts, got neither"):
        prepare_corpus(tmp_path / "corpus")
    with pytest.raises(ValueError, match="prepare_corpus: paths: expected files or texts, got both"):
        prepare_corpus(tmp_path / "corpus", path, texts=["a"])
    with pytest.raises(ValueError, match="prepare_corpus: level: expected one of char, word, subword, token"):
        prepare_corpus(tmp_path / "corpus", path, level="letter")
    with pytest.raises(TypeError, match="prepare_corpus: texts: expected a string, got int"):
        prepare_corpus(tmp_path / "corpus", texts=[1])
    with pytest.raises(ValueError, match="expected a text, got an empty file"):
        prepare_corpus(tmp_path / "corpus", written(tmp_path, "", "empty"), force=True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full is of Linux")
def test_a_full_disk_is_an_error(tmp_path, word_corpus):
    (tmp_path / "corpus").mkdir()
    os.symlink("/dev/full", tmp_path / "corpus/ids.npy")
    with pytest.raises(OSError, match=r"No space left on device: .*corpus"):
        prepare_corpus(tmp_path / "corpus", written(tmp_path), vocabulary=word_corpus.vocabulary)
    assert not (tmp_path / "corpus/corpus.json").exists()


def test_arrays_are_written_part_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnrs.data.array_file.BLOCK", 100)
    rows = np.arange(2 * 57).reshape(57, 2)
    writer = ArrayWriter(tmp_path / "a.npy", "<u4", 2)
    for first, last in ((0, 3), (3, 3), (3, 30)):
        writer.append(rows[first:last])
    state = writer.state()
    writer.append(rows[:5])
    writer.close()
    writer = ArrayWriter(tmp_path / "a.npy", "<u4", 2, state)
    writer.append(rows[30:])
    end = writer.finish()
    file = ArrayFile(tmp_path / "a.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), rows)
    np.testing.assert_array_equal(file.read(10, 20), rows[10:20])
    assert end == {"rows": 57, "sums": file.checksums()}
    assert len(end["sums"]) == 5
    os.truncate(tmp_path / "a.npy", 200)
    with pytest.raises(OSError, match="expected at least 368 bytes of the work begun"):
        ArrayWriter(tmp_path / "a.npy", "<u4", 2, state)
    assert BLOCK == 1 << 24


def test_selections_are_kept_by_groups():
    draw = np.random.default_rng(0)
    flags = draw.random(2 * GROUP + 77) < 0.3
    chosen = Selection(flags[i : i + GROUP] for i in range(0, len(flags), GROUP))
    numbers = np.flatnonzero(flags)
    assert len(chosen) == len(numbers)
    for first, last in ((0, len(numbers)), (5, 5), (100, 30_000), (len(numbers) - 1, len(numbers))):
        np.testing.assert_array_equal(chosen.numbers(first, last), numbers[first:last])
    keep = draw.random(len(numbers)) < 0.5
    some = chosen.subset(keep)
    np.testing.assert_array_equal(some.numbers(0, len(some)), numbers[keep])
    assert some.digest() != chosen.digest()
    for first, last in ((0, len(flags)), (5, 70), (60_000, 140_000), (9, 9)):
        some = chosen.within(first, last)
        expected = numbers[(numbers >= first) & (numbers < last)]
        np.testing.assert_array_equal(some.numbers(0, len(some)), expected)
