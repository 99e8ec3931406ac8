"""`python -m calm_train.distill --config ...`: a trained baseline continues the openings of documents, and what it
writes becomes a source to train a CALM on (sequence-level distillation, arXiv 1606.07947).

A model that writes several tokens at once learns the narrower law of such text easier than that of the text itself.
"""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from calm_train.checkpoint import WEIGHTS, file_fingerprint, load_llama, read_config
from calm_train.config import Config, parse_command_line
from calm_train.data import Shard
from calm_train.distillation_costs import write_costs
from calm_train.files import link_missing, make_folder, replace_file
from calm_train.flops import writing_flops
from calm_train.limits import refuse
from calm_train.memory import told_out_of_memory
from calm_train.models.llama import Llama
from calm_train.pack import pack
from calm_train.text import read_documents
from calm_train.vocabulary import Vocabulary
from calm_train.writing import continue_documents

SETTINGS = "settings.json"


def distill(config: Config) -> None:
    """Writes one file a batch, so that a killed call goes on behind the last whole one, and packs them in the end."""
    section, written = config.distill, config.run / "written"
    for key, value in {"[data] written": config.data.written, "[distill] source": section.source}.items():
        if not value:
            refuse(key, value, "the name of a source: the one to make, and the one whose openings it takes")
    if section.max_tokens <= section.opening_tokens + 1:
        allowed = f"above opening_tokens = {section.opening_tokens} and BOS"
        refuse("[distill] max_tokens", section.max_tokens, allowed)
    torch.set_num_threads(section.threads)
    _take_sources(config)
    vocabulary = Vocabulary.load(config.run / "tokenizer")
    model = _teacher(Path(section.teacher), vocabulary)
    shard = Shard(config.run / "shards" / section.source, vocabulary.fingerprint)
    make_folder(written)
    _keep_settings(config, written)
    firsts = range(section.first, min(section.first + section.documents, len(shard)), section.rows)
    for first in tqdm(firsts, desc="written", unit=" batches", disable=None):
        path = written / f"{section.source}-{first:07}.jsonl"
        if not path.exists():
            numbers = range(first, min(first + section.rows, firsts.stop))
            texts = _continued(config, model, vocabulary, [shard.document(i).tolist() for i in numbers], first)
            lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
            replace_file(path, partial(Path.write_text, data=lines))
    _pack_written(config, model, vocabulary)


def _keep_settings(config: Config, folder: Path) -> None:
    """What a call that goes on must have in common with the one that began, so that all of a source follows one law.
    Which documents are continued and by how many threads is free."""
    section = asdict(config.distill)
    settings = {key: value for key, value in section.items() if key not in ("teacher", "first", "documents", "threads")}
    settings["teacher's weights"] = file_fingerprint(Path(config.distill.teacher) / WEIGHTS)
    path = folder / SETTINGS
    if not path.exists():
        replace_file(path, lambda staged: staged.write_text(json.dumps(settings, indent=2) + "\n"))
    for key, before in json.loads(path.read_text()).items():
        if settings.get(key) != before:
            raise SystemExit(
                f"{folder} was begun with {key} = {before}, and now it is {settings.get(key)}: give what it had, or "
                "delete the folder to start over"
            )


def _take_sources(config: Config) -> None:
    """Tokenizer and sources of the run that the student will start from, each by a link of its own: what is written
    belongs to this run alone."""
    if config.calm.start_from:
        earlier = Path(config.calm.start_from)
        link_missing(config.run, {"tokenizer": earlier / "tokenizer"})
        link_missing(config.run / "shards", {path.name: path for path in sorted((earlier / "shards").glob("*"))})


def _pack_written(config: Config, model: Llama, vocabulary: Vocabulary) -> None:
    """All batches that are there, those of other calls among them."""
    paths = sorted((config.run / "written").glob(f"{config.distill.source}-*.jsonl"))
    documents = (document for path in paths if path.stat().st_size for document in read_documents(path))
    folder = config.run / "shards" / config.data.written
    tokens = pack(documents, vocabulary, folder)
    if not tokens:
        raise SystemExit(
            f"none of what the teacher wrote came to an end within [distill] max_tokens = {config.distill.max_tokens}"
        )
    packed = Shard(folder, vocabulary.fingerprint)
    lengths = np.diff(packed.offsets)
    before = read_config(Path(config.distill.teacher)).get("training_flops", 0)
    write_costs(packed, teacher_flops=before, writing_flops=writing_flops(model.shape, lengths.tolist()))
    print(f"{config.data.written}: {tokens:,} tokens of {len(lengths):,} documents")


def _teacher(folder: Path, vocabulary: Vocabulary) -> Llama:
    if Vocabulary.load(folder) != vocabulary:
        raise SystemExit(
            f"[distill] teacher = {folder} has another tokenizer than the run; train a baseline with the run's"
        )
    return load_llama(folder)


def _continued(
    config: Config, model: Llama, vocabulary: Vocabulary, documents: list[list[int]], first: int
) -> list[str]:
    """Each document's opening with what the teacher writes behind it, where that comes to an end. `first` is the number
    of the first one: every batch has random numbers of its own, whoever writes it."""
    section = config.distill
    openings = [document[: section.opening_tokens] for document in documents if len(document) > section.opening_tokens]
    if not openings:
        return []
    endings = continue_documents(
        model,
        torch.tensor([[vocabulary.bos, *opening] for opening in openings]),
        vocabulary.eos,
        section.temperature,
        section.max_tokens,
        torch.Generator().manual_seed(section.seed * 1_000_003 + first),
    )
    pairs = zip(openings, endings, strict=True)
    return [vocabulary.decode(opening + ending) for opening, ending in pairs if ending is not None]


@told_out_of_memory()
def main() -> None:
    distill(parse_command_line("distill"))


if __name__ == "__main__":
    main()
