"""`python -m calm_train.pack --config ...`: text -> memory-mapped token shards, one folder a source.

A shard is `tokens.bin` (uint16, or uint32 for vocabularies above 65,536), `offsets.npy` (int64, one more entry than
there are documents) and `shard.json`, which names the tokenizer. Special tokens are not stored: alignment adds them
anew each epoch.
"""

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from calm_train.config import Config, parse_command_line
from calm_train.files import make_folder, replace_file
from calm_train.text import read_documents
from calm_train.vocabulary import Vocabulary

BATCH = 256
DESCRIPTION = "shard.json"


def pack(documents: Iterable[str], vocabulary: Vocabulary, folder: Path) -> int:
    """Writes one shard and returns its number of tokens."""
    make_folder(folder)
    dtype = np.uint16 if vocabulary.size <= 1 << 16 else np.uint32
    offsets = [0]

    def write_tokens(path: Path) -> None:
        with path.open("wb") as file:
            for batch in _batched(documents):
                for tokens in vocabulary.encoding.encode_ordinary_batch(batch, num_threads=2):
                    file.write(np.asarray(tokens, dtype=dtype).tobytes())
                    offsets.append(offsets[-1] + len(tokens))

    def write_offsets(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, np.asarray(offsets, dtype=np.int64))

    # The old description goes first: a kill in between leaves a shard that is refused, never one that lies.
    (folder / DESCRIPTION).unlink(missing_ok=True)
    replace_file(folder / "tokens.bin", write_tokens)
    replace_file(folder / "offsets.npy", write_offsets)
    description = {"tokenizer": vocabulary.fingerprint, "dtype": np.dtype(dtype).name, "tokens": offsets[-1]}
    replace_file(folder / DESCRIPTION, lambda path: path.write_text(json.dumps(description) + "\n"))
    return offsets[-1]


def _batched(documents: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(documents)
    while batch := list(itertools.islice(iterator, BATCH)):
        yield batch


def pack_sources(config: Config) -> None:
    vocabulary = Vocabulary.load(config.run / "tokenizer")
    for name, files in config.data.sources.items():
        paths = [config.corpora / file for file in files]
        documents = (document for path in paths for document in read_documents(path))
        shown = tqdm(documents, desc=name, unit=" documents", disable=None)
        tokens = pack(shown, vocabulary, config.run / "shards" / name)
        print(f"{name}: {tokens:,} tokens")


def main() -> None:
    pack_sources(parse_command_line("data"))


if __name__ == "__main__":
    main()
