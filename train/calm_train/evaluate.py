"""`python -m calm_train.evaluate --config ... [--text file.txt]`: held-out figures of a run's CALM and baseline.

Prints one JSON object. Both models are scored at the same places of the text, with the same context.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from calm_train.baseline import held_out_cross_entropy
from calm_train.brier import brier_figures
from calm_train.checkpoint import WEIGHTS, load_calm, load_llama, read_config
from calm_train.config import Config, parse_command_line
from calm_train.data import Special, grid_documents
from calm_train.held_out import ChunkModel, brier_positions, held_out_energy, mean_over_batches
from calm_train.memory import told_out_of_memory
from calm_train.models.calm import Calm
from calm_train.models.llama import Llama
from calm_train.pack import pack
from calm_train.text import read_documents
from calm_train.vocabulary import Vocabulary

ENERGY_DOCUMENTS = 64


@torch.no_grad()
def figures(model: Calm | Llama, config: Config, shard: Path, vocabulary: Vocabulary, grid: int) -> dict[str, Any]:
    """BrierLM with its standard error, and what the model was trained to lower: energy or cross-entropy."""
    section = config.evaluate
    patch_size = model.ae_model.shape.patch_size if isinstance(model, Calm) else 1
    special = Special.of(vocabulary, patch_size)
    block = section.block_tokens or config.calm.max_position_embeddings * config.patch_size
    documents, starts = grid_documents(shard, special, grid, block, section.documents, section.seed)
    scored = score(model, documents, starts, special.eos, section.positions, section.seed)
    torch.manual_seed(section.seed)
    some = documents[:ENERGY_DOCUMENTS]
    if isinstance(model, Calm):
        name, value = "energy", mean_over_batches(some, lambda b: held_out_energy(model, b, 2, config.calm.beta))
    else:
        name, value = "cross_entropy", mean_over_batches(some, lambda b: held_out_cross_entropy(model, b))
    return scored | {name: round(value, 4), "block_tokens": block}


def score(
    model: ChunkModel, documents: list[np.ndarray], starts: list[range], eos: int, positions: int, seed: int
) -> dict[str, Any]:
    torch.manual_seed(seed)
    terms = brier_positions(model, documents, eos, positions, starts)
    if len(terms) < 2:
        raise SystemExit(f"only {len(terms)} document(s) are long enough to score; an error needs two or more")
    return brier_figures(terms)


def checked_vocabulary(folder: Path, vocabulary: Vocabulary) -> None:
    if Vocabulary.load(folder) != vocabulary:
        raise SystemExit(f"{folder} was trained with another tokenizer than the text was packed with")


def evaluate(config: Config, shard: Path, vocabulary: Vocabulary) -> dict[str, Any]:
    run, results = config.run, {}
    if (run / "checkpoint" / WEIGHTS).exists():
        checked_vocabulary(run / "checkpoint", vocabulary)
        calm = load_calm(run / "checkpoint", run / "autoencoder")
        results["calm"] = figures(calm, config, shard, vocabulary, config.patch_size)
        results["calm"]["training_flops"] = read_config(run / "checkpoint").get("training_flops")
    if (run / "baseline" / WEIGHTS).exists():
        checked_vocabulary(run / "baseline", vocabulary)
        llama = load_llama(run / "baseline")
        results["baseline"] = figures(llama, config, shard, vocabulary, config.patch_size)
        results["baseline"]["training_flops"] = read_config(run / "baseline").get("training_flops")
    if not results:
        raise SystemExit(f"{run} holds neither checkpoint/ nor baseline/; train one first")
    return results


@told_out_of_memory()
def main() -> None:
    config = parse_command_line("evaluate")
    section = config.evaluate
    torch.set_num_threads(section.threads)
    vocabulary = Vocabulary.load(config.run / "tokenizer")
    if not section.text:
        shard = config.run / "shards" / config.data.scored
        print(json.dumps(evaluate(config, shard, vocabulary), indent=2))
        return
    with tempfile.TemporaryDirectory() as folder:
        pack((d for path in section.text for d in read_documents(Path(path))), vocabulary, Path(folder))
        print(json.dumps(evaluate(config, Path(folder), vocabulary), indent=2))


if __name__ == "__main__":
    main()
