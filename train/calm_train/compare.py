"""`python -m calm_train.compare --config configs/compare.toml`: trains a list of small models at equal training FLOPs.

The file holds what every run shares, as any configuration does, and `[[compare]]` entries: a name, which model
(`calm` or `baseline`), and the keys that differ. Runs that need the same autoencoder share one. A killed comparison
goes on where it stopped; results.json in the run's folder holds what is done. With `--seeds 1 2 3` each seed is such a
comparison, in a folder seed-1 and so on beside the tokenizer and the text, which all share.
"""

import argparse
import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from calm_train import autoencoder, baseline, calm, pack, tokenizer
from calm_train.checkpoint import load_calm, load_llama, read_config
from calm_train.config import Config, build_config, override, read_toml
from calm_train.data import Special, grid_documents
from calm_train.evaluate import score
from calm_train.files import link_missing, replace_file
from calm_train.flops import backbone_forward, decoder_forward, embed_forward, head_sampling_forward, vocabulary_forward
from calm_train.markdown import comparison_table, seeds_table
from calm_train.memory import told_out_of_memory
from calm_train.models.calm import Calm
from calm_train.models.llama import Llama
from calm_train.sections import BackboneSection
from calm_train.seeds import runs_by_name
from calm_train.vocabulary import Vocabulary

# Where n-grams are scored: every so many tokens, at the same places for every K that divides it.
GRID = 8
TIMED_DRAWS = 30


@dataclass(frozen=True)
class Entry:
    """`keys` are overrides as on the command line; `autoencoder` names the autoencoder that runs share."""

    name: str
    model: str
    autoencoder: str = ""
    keys: dict[str, Any] = field(default_factory=dict)


def read_entries(raw: dict[str, Any]) -> list[Entry]:
    entries = [Entry(**item) for item in raw.pop("compare", [])]
    if not entries:
        raise SystemExit("the configuration holds no [[compare]] entry")
    for entry in entries:
        if entry.model not in ("calm", "baseline"):
            raise SystemExit(f"{entry.name}: model is {entry.model!r}; it must be calm or baseline")
    return entries


def config_of(raw: dict[str, Any], entry: Entry, folder: Path) -> Config:
    own = copy.deepcopy(raw)
    for key, value in entry.keys.items():
        override(own, key, value)
    own["run"] = str(folder)
    return build_config(own)


def train_entry(raw: dict[str, Any], entry: Entry, root: Path) -> Config:
    """Trains one entry and, before it, the autoencoder that it needs. What is finished already takes no time."""
    shared = {name: root / name for name in ("tokenizer", "shards")}
    if entry.model == "calm":
        folder = root / f"autoencoder-{entry.autoencoder}"
        link_missing(folder, shared)
        autoencoder.train(config_of(raw, entry, folder))
        torch._dynamo.reset()  # every model is compiled anew, and the compiler counts
        shared["autoencoder"] = folder / "autoencoder"
    config = config_of(raw, entry, root / entry.name)
    link_missing(config.run, shared)
    (calm if entry.model == "calm" else baseline).train(config)
    torch._dynamo.reset()
    return config


@torch.no_grad()
def result_of(config: Config, entry: Entry, vocabulary: Vocabulary) -> dict[str, Any]:
    model: Calm | Llama
    section: BackboneSection
    if entry.model == "calm":
        folder, section = config.run / "checkpoint", config.calm
        model = load_calm(folder, config.run / "autoencoder")
    else:
        folder, section = config.run / "baseline", config.baseline
        model = load_llama(folder)
    patch_size = config.patch_size if entry.model == "calm" else 1
    special, shard = Special.of(vocabulary, patch_size), config.run / "shards" / config.data.scored
    block = section.row_chunks * patch_size
    documents, starts = grid_documents(shard, special, GRID, block, config.evaluate.documents)
    scored = score(model, documents, starts, special.eos, config.evaluate.positions, config.evaluate.seed)
    written = read_config(folder)
    return {
        "name": entry.name,
        "model": entry.model,
        "head": config.calm.head if entry.model == "calm" else "softmax",
        "patch_size": patch_size,
        "parameters": sum(p.numel() for p in model.parameters()),
        "training_flops": written["training_flops"],
        "steps": written["training"]["steps"],
        "tokens": written["training"]["tokens"],
        "seconds": written["training"]["seconds"],
        "flops_per_token": generation_flops(model, block // patch_size) / patch_size,
        "sample_flops": sample_flops(model),
        "sample_ms": sample_milliseconds(model),
        # From results.json's folder, so that the folder can be moved.
        "metrics": str(Path(config.run.name) / "training" / entry.model / "metrics.jsonl"),
    } | scored


def sample_flops(model: Calm | Llama) -> int:
    """FLOPs of one more draw of the next chunk, the backbone left out: head and decoder, or the output matrix."""
    if isinstance(model, Llama):
        return vocabulary_forward(model.shape)
    backbone, latent = model.shape.backbone, model.ae_model.shape.latent_size
    head = head_sampling_forward(model.shape.head, backbone.hidden_size, latent, 1)
    return head + decoder_forward(model.ae_model.shape)


def generation_flops(model: Calm | Llama, context: int) -> int:
    """FLOPs of one step with one draw, `context` positions long."""
    shape = model.shape if isinstance(model, Llama) else model.shape.backbone
    embed = 0 if isinstance(model, Llama) else embed_forward(shape.hidden_size, model.ae_model.shape.patch_size)
    return backbone_forward(shape, context) + embed + sample_flops(model)


def sample_milliseconds(model: Calm | Llama) -> float:
    hidden = torch.randn(1, (model.shape if isinstance(model, Llama) else model.shape.backbone).hidden_size)
    return milliseconds(lambda: model.draw(hidden, 1))


def milliseconds(action: Callable[[], Tensor]) -> float:
    """Median of several calls, in fp32 on one thread."""
    durations = []
    for _ in range(TIMED_DRAWS):
        begin = time.perf_counter()
        action()
        durations.append(1000 * (time.perf_counter() - begin))
    return round(median(durations), 3)


def compare(raw: dict[str, Any], entries: list[Entry], root: Path, vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """Trains and scores those entries that results.json in `root` does not hold yet -> all that it holds then."""
    path = root / "results.json"
    results = json.loads(path.read_text()) if path.exists() else []
    for entry in entries:
        if entry.name in {result["name"] for result in results}:
            continue
        config = train_entry(raw, entry, root)
        results.append(result_of(config, entry, vocabulary))
        text = json.dumps(results, indent=2) + "\n"
        replace_file(path, partial(Path.write_text, data=text))
        print(json.dumps(results[-1]), flush=True)
    return results


@told_out_of_memory()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--corpora", help="instead of the file's")
    parser.add_argument("--run", help="instead of the file's")
    parser.add_argument("--seeds", type=int, nargs="+", help="trains everything once from each; the file's without it")
    parser.add_argument("--only", nargs="*", help="names of the entries to train; all without it")
    arguments = parser.parse_args()
    raw = read_toml(arguments.config)
    entries = read_entries(raw)
    for name in ("corpora", "run"):
        if getattr(arguments, name):
            raw[name] = getattr(arguments, name)
    shared = build_config(raw)
    root = shared.run
    if not (root / "tokenizer").exists():
        tokenizer.learn(shared)
    vocabulary = Vocabulary.load(root / "tokenizer")
    if not all((root / "shards" / name / "shard.json").exists() for name in shared.data.sources):
        pack.pack_sources(shared)
    only = set(arguments.only or [entry.name for entry in entries])
    chosen = [entry for entry in entries if entry.name in only]
    if not arguments.seeds:
        print(comparison_table(compare(raw, chosen, root, vocabulary)))
        return
    comparisons = []
    for seed in dict.fromkeys(arguments.seeds):
        folder = root / f"seed-{seed}"
        link_missing(folder, {name: root / name for name in ("tokenizer", "shards")})
        seeded = copy.deepcopy(raw)
        override(seeded, "training.seed", seed)
        results = compare(seeded, chosen, folder, vocabulary)
        # A seed may hold more from an earlier call than the others do.
        comparisons.append([result for result in results if result["name"] in only])
    print(seeds_table(runs_by_name(comparisons)))


if __name__ == "__main__":
    main()
