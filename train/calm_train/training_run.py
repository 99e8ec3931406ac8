"""What the trainers of autoencoder, CALM and token baseline start from and end with."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from calm_train.checkpoint import COMMON, official_tensors, special_ids, write_folder
from calm_train.config import Config
from calm_train.data import Mixture, Special, held_out_documents
from calm_train.files import link_missing
from calm_train.loop import Costs, Hooks, Loop
from calm_train.precision import precision_name, precision_of
from calm_train.sections import OptimSection
from calm_train.state import Spent, read_start
from calm_train.vocabulary import Vocabulary

HELD_OUT_DOCUMENTS = 48


def check_device(name: str) -> None:
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SystemExit(f'device = "{name}": PyTorch finds {torch.cuda.device_count()} CUDA devices here')


def take_parts(run: Path, earlier: Path, name: str) -> None:
    """What a run lacks and one that it starts from has: links, since both must agree in it anyway. An autoencoder is a
    part of a CALM's run alone: what trains one writes that folder."""
    parts = ("tokenizer", "shards", *(("autoencoder",) if name == "calm" else ()))
    link_missing(run, {part: earlier / part for part in parts})


class TrainingRun:
    def __init__(self, config: Config, section: OptimSection, name: str, patch_size: int, *, final_mix: bool = True):
        """`name` is the folder of the state under `training`; `final_mix` is whether the run ends with that mix."""
        check_device(section.device)
        torch.set_num_threads(section.threads)
        torch.manual_seed(section.seed)
        self.config, self.section, self.folder = config, section, config.run / "training" / name
        if section.start_from:
            take_parts(config.run, Path(section.start_from), name)
        self.vocabulary = Vocabulary.load(config.run / "tokenizer")
        self.special = Special.of(self.vocabulary, patch_size)
        self.final_mix = final_mix
        names = set(config.data.mix) | set(config.data.final_mix if final_mix else {})
        if not names:
            raise SystemExit("[data] mix names no source to train on")
        self.mixture = Mixture(config.run / "shards", names, self.special, section.seed)
        self.mixture.require(section.row_chunks)

    def rows(self, progress: float, chunks: int) -> tuple[Tensor, Tensor]:
        """Chunks [rows, chunks, K] and document numbers [rows, chunks], on the device."""
        data = self.config.data
        weights = data.mix_at(progress) if self.final_mix else data.mix
        taken, numbers = self.mixture.rows(self.section.rows, chunks, weights)
        return torch.from_numpy(taken).to(self.section.device), torch.from_numpy(numbers).to(self.section.device)

    def held_out(self, max_chunks: int) -> list[np.ndarray]:
        """The documents that are scored in training."""
        folder = self.config.run / "shards" / self.config.data.scored
        return held_out_documents(folder, self.special, max_chunks, HELD_OUT_DOCUMENTS)

    def write(self, folder: str, model: nn.Module, own: dict[str, Any], generation: tuple[str, ...] = ()) -> None:
        """A folder that `calm convert` reads; `generation` names the keys that a server takes for its defaults."""
        defaults = {name: getattr(self.section, name) for name in generation} or None
        written = COMMON | special_ids(self.vocabulary) | own
        tokenizer = self.config.run / "tokenizer"
        write_folder(self.config.run / folder, written, official_tensors(model), tokenizer, defaults)

    def train(
        self, module: nn.Module, hooks: Hooks, flops_of: Callable[[int], int], before: int = 0, **parts: str
    ) -> None:
        """Trains to the end. `flops_of(chunks)` counts this training alone, `before` what went into parts of the
        model; `parts` are fingerprints of what must not change before a resumption."""
        data = self.config.data
        identity = asdict(self.section) | parts | {"text": self.mixture.fingerprints()}
        identity |= {"patch_size": self.special.patch_size, "tokenizer": self.vocabulary.fingerprint}
        # What "auto" came to: a run that goes on elsewhere must not change its arithmetic unnoticed.
        identity |= {"precision": precision_name(precision_of(self.section.device, self.section.precision))}
        identity |= {"mix": data.mix, "final_mix": data.final_mix, "final_fraction": data.final_fraction}
        chunks = self.section.rows * self.section.row_chunks
        start, spent = None, Spent(flops=before)
        if self.section.start_from:
            folder = Path(self.section.start_from) / "training" / self.folder.name
            start, spent = read_start(folder, identity, self.section.device)
        costs = Costs(chunks * self.special.patch_size, flops_of(chunks), spent)
        facts = Loop(module, self.section, self.folder, hooks, self.mixture, costs, identity, start).run()
        print(f"{self.folder.name} in {self.config.run}: {facts['steps']} steps, {facts['tokens']:,} tokens")
