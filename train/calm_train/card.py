"""`python -m calm_train.card --config ...`: measures a finished run and writes card.json and card.md beside it.

The card is the CALM's, with the token baseline's scores where there is one; a run of a baseline alone gets its own.
"""

import itertools
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from calm_train.autoencoder import held_out_chunks
from calm_train.brier import brier_figures
from calm_train.checkpoint import WEIGHTS, count_parameters, load_calm, load_llama, read_config
from calm_train.config import Config, parse_command_line
from calm_train.data import Special, held_out_documents
from calm_train.files import replace_file
from calm_train.held_out import ChunkModel, brier_positions, held_out_energy, mean_over_batches
from calm_train.markdown import render
from calm_train.memory import told_out_of_memory
from calm_train.models.calm import Calm
from calm_train.models.llama import Llama
from calm_train.peak import product_rate
from calm_train.precision import precision_name, precision_of
from calm_train.reconstruction import exactness, random_chunks
from calm_train.sample import stories
from calm_train.vocabulary import Vocabulary

# Tokens into the document: the opening of a story is formulaic and much easier than the rest.
POSITION_BORDERS = (0, 128, 256, 512)
ENERGY_DOCUMENTS = 200


def brier_of(model: ChunkModel, documents: list[np.ndarray], eos: int) -> dict[str, Any]:
    torch.manual_seed(0)
    terms = brier_positions(model, documents, eos, max_positions=10_000)
    patch_size = documents[0].shape[1]
    ranges = {}
    for begin, end in itertools.pairwise(POSITION_BORDERS):
        part = [t[begin // patch_size : end // patch_size] for t in terms]
        ranges[f"{begin}-{end}"] = brier_figures([t for t in part if len(t)])
    return brier_figures(terms) | {"by_token_position": ranges}


def autoencoder_figures(model: Calm, chunks: dict[str, Tensor]) -> dict[str, Any]:
    _, log_std = model.ae_model.encode(next(iter(chunks.values())))
    figures: dict[str, Any] = {"posterior_sigma": round(float(log_std.exp().mean()), 3)}
    for name, part in chunks.items():
        figures[name] = {
            "tokens": part.numel(),
            "exact": round(exactness(model.ae_model, part, noisy=False), 6),
            "exact_under_posterior_noise": round(exactness(model.ae_model, part, noisy=True), 6),
        }
    return figures


def energy_of(model: Calm, documents: list[np.ndarray], config: Config) -> float:
    """Mean over documents, in batches, with the training's number of samples."""
    torch.manual_seed(0)
    section = config.calm
    energy = mean_over_batches(documents, lambda b: held_out_energy(model, b, section.num_samples, section.beta))
    return round(energy, 4)


def held_out(config: Config, patch_size: int, vocabulary: Vocabulary, name: str, count: int) -> list[np.ndarray]:
    special = Special.of(vocabulary, patch_size)
    return held_out_documents(config.run / "shards" / name, special, config.calm.max_position_embeddings, count)


def provenance(config: Config, written: dict[str, Any]) -> dict[str, Any]:
    """What every card says first; `written` is the checkpoint's config.json."""
    training = written["training"]
    # Of this machine: the card is made where the training ran. Runs of before had no such setting.
    precision = precision_of(training["device"], training.get("precision", "auto"))
    return {
        "title": config.card.title,
        "data": config.card.data,
        "mix": config.data.mix,
        "final_mix": config.data.final_mix,
        "training": training,
        "training_flops": written["training_flops"],
        "peak_flops_per_second": product_rate(precision, training["device"], training["threads"]),
        "peak_precision": precision_name(precision),
        "weaknesses": config.card.weaknesses,
    }


@torch.no_grad()
def measure_baseline(config: Config) -> dict[str, Any]:
    folder = config.run / "baseline"
    vocabulary = Vocabulary.load(folder)
    model: Llama = load_llama(folder)
    documents = held_out(config, 1, vocabulary, config.data.scored, config.card.documents)
    return provenance(config, read_config(folder)) | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "brier": brier_of(model, documents, vocabulary.eos),
    }


@torch.no_grad()
def measure(config: Config) -> dict[str, Any]:
    run = config.run
    vocabulary = Vocabulary.load(run / "checkpoint")
    special = Special.of(vocabulary, config.patch_size)
    model = load_calm(run / "checkpoint", run / "autoencoder")

    def documents(name: str, count: int) -> list[np.ndarray]:
        return held_out(config, config.patch_size, vocabulary, name, count)

    chunks = held_out_chunks(config, special)
    chunks["random strings"] = random_chunks(4096, config.patch_size, vocabulary.pad)
    held_out_name, main_source = config.data.scored, max(config.data.mix, key=config.data.mix.__getitem__)
    autoencoder = read_config(run / "autoencoder")
    card = provenance(config, read_config(run / "checkpoint")) | {
        "parameters": count_parameters(load_file(run / "checkpoint" / WEIGHTS)),
        "autoencoder_parameters": sum(p.numel() for p in model.ae_model.parameters()),
        "autoencoder_training": autoencoder["training"],
        "autoencoder_flops": autoencoder["training_flops"],
        "autoencoder": autoencoder_figures(model, chunks),
        "energy": {
            "train": energy_of(model, documents(main_source, ENERGY_DOCUMENTS), config),
            "held_out": energy_of(model, documents(held_out_name, ENERGY_DOCUMENTS), config),
        },
        "brier": brier_of(model, documents(held_out_name, config.card.documents), special.eos),
        "sampling": {"temperature": config.sample.temperature, "num_candidates": config.sample.num_candidates},
        "samples": stories(config, model, vocabulary),
    }
    if (run / "baseline" / WEIGHTS).exists():
        card["baseline"] = measure_baseline(config)
    return card


@told_out_of_memory()
def main() -> None:
    config = parse_command_line("card")
    torch.set_num_threads(config.calm.threads)
    has_calm = (config.run / "checkpoint" / WEIGHTS).exists()
    card = measure(config) if has_calm else measure_baseline(config)
    for name, text in {"card.json": json.dumps(card, indent=2) + "\n", "card.md": render(card)}.items():
        replace_file(config.run / name, partial(Path.write_text, data=text))
    print(f"card.json and card.md in {config.run}")


if __name__ == "__main__":
    main()
