"""From text to training rows: documents, tokenizer, shards, alignment."""

import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from calm_train.data import Mixture, Shard, Special, Stream, align, held_out_documents
from calm_train.pack import pack
from calm_train.text import read_documents
from calm_train.tokenizer import train_vocabulary
from calm_train.vocabulary import Vocabulary

STORIES = ["Once upon a time there was a cat.\nThe cat sat on 12345 mats.", "The dog said: héllo, cat!"]
SPECIAL = Special(bos=60, eos=61, patch_size=2)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return train_vocabulary(iter(STORIES * 20), vocab_size=300)


@pytest.mark.parametrize("suffix", ["txt", "xz"])
def test_reads_documents_between_separator_lines(tmp_path: Path, suffix: str):
    text = f"{STORIES[0]}\n<|endoftext|>\n\n<|endoftext|>\n{STORIES[1]}\n"
    path = tmp_path / f"stories.{suffix}"
    path.write_bytes(lzma.compress(text.encode()) if suffix == "xz" else text.encode())
    assert list(read_documents(path)) == STORIES


def test_vocabulary_round_trips_text_and_files(vocabulary: Vocabulary, tmp_path: Path):
    vocabulary.save(tmp_path)
    loaded = Vocabulary.load(tmp_path)
    assert loaded == vocabulary
    assert (vocabulary.size, vocabulary.bos, vocabulary.eos, vocabulary.pad) == (300, 297, 298, 299)
    for text in [*STORIES, "tab\tand ünïcode \U0001f600"]:
        assert loaded.decode(loaded.encode(text)) == text


def test_every_byte_is_a_token_and_tokens_are_distinct(vocabulary: Vocabulary):
    assert len(set(vocabulary.ranks)) == len(vocabulary.ranks) == 297
    assert {bytes([b]) for b in range(256)} <= set(vocabulary.ranks)


def test_numbers_split_into_groups_of_three_digits(vocabulary: Vocabulary):
    pieces = [vocabulary.ranks[t].decode() for t in vocabulary.encode("123456")]
    assert "".join(pieces) == "123456"
    assert "34" not in "|".join(pieces)


def test_shard_gives_documents_back(vocabulary: Vocabulary, tmp_path: Path):
    count = pack(iter(STORIES), vocabulary, tmp_path)
    shard = Shard(tmp_path)
    assert [vocabulary.decode(shard.document(i).tolist()) for i in range(len(shard))] == STORIES
    assert count == len(shard.tokens)


@pytest.mark.parametrize(
    ("num_tokens", "num_bos", "expected"),
    [
        (3, 1, [[60, 0], [1, 2], [61, 61]]),
        (3, 2, [[60, 60], [0, 1], [2, 61]]),
        (0, 1, [[60, 61]]),
    ],
)
def test_alignment(num_tokens: int, num_bos: int, expected: list[list[int]]):
    assert align(np.arange(num_tokens), num_bos, SPECIAL).tolist() == expected


def write_shard(folder: Path, lengths: list[int]) -> Path:
    folder.mkdir()
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    np.concatenate([np.full(n, i, dtype=np.uint16) for i, n in enumerate(lengths)]).tofile(folder / "tokens.bin")
    np.save(folder / "offsets.npy", offsets)
    (folder / "shard.json").write_text(json.dumps({"dtype": "uint16", "tokenizer": "", "tokens": sum(lengths)}))
    return folder


def test_stream_visits_every_document_each_epoch_and_draws_alignment_anew(tmp_path: Path):
    shard = Shard(write_shard(tmp_path / "s", [4, 7, 9]))
    stream = Stream(shard, SPECIAL, np.random.default_rng(0))
    chunks, documents = stream.take(600)
    starts = [chunks[documents == number] for number in np.unique(documents)[:-1]]
    first_tokens = [next(t for t in start.flatten() if t != SPECIAL.bos) for start in starts]
    assert all(sorted(first_tokens[i : i + 3]) == [0, 1, 2] for i in range(0, len(first_tokens) - 2, 3))
    assert {int((start == SPECIAL.bos).sum()) for start in starts} == {1, 2}


def test_stream_does_not_depend_on_how_it_is_cut(tmp_path: Path):
    shard = Shard(write_shard(tmp_path / "s", [4, 7, 9]))
    whole = Stream(shard, SPECIAL, np.random.default_rng(0)).take(30)[0]
    stream = Stream(shard, SPECIAL, np.random.default_rng(0))
    assert np.array_equal(whole, np.concatenate([stream.take(n)[0] for n in (1, 7, 22)]))


def test_mixture_follows_its_weights(tmp_path: Path):
    write_shard(tmp_path / "a", [50])
    write_shard(tmp_path / "b", [50])
    mixture = Mixture(tmp_path, {"a", "b"}, SPECIAL, seed=0)
    chunks, documents = mixture.rows(4, 8, {"a": 1.0})
    assert chunks.shape == (4, 8, 2)
    assert documents.shape == (4, 8)
    assert mixture.streams["b"].document == 0


def test_held_out_documents_are_the_same_each_time(tmp_path: Path):
    folder = write_shard(tmp_path / "s", [4, 7, 9])
    first, second = (held_out_documents(folder, SPECIAL, max_chunks=3, count=3) for _ in range(2))
    assert all(np.array_equal(a, b) and len(a) == 3 for a, b in zip(first, second, strict=True))
