"""`python -m calm_train.autoencoder --config ...`: trains the autoencoder on chunks of text (paper 2)."""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from calm_train.config import Config, parse_command_line
from calm_train.data import Special, held_out_documents
from calm_train.flops import autoencoder_training_flops
from calm_train.loop import Hooks
from calm_train.memory import told_out_of_memory
from calm_train.models.autoencoder import Autoencoder, AutoencoderShape, autoencoder_loss
from calm_train.precision import mixed_precision
from calm_train.reconstruction import exactness, random_chunks
from calm_train.sections import AutoencoderSection
from calm_train.training_run import TrainingRun

HELD_OUT_DOCUMENTS = 300


def shape_of(section: AutoencoderSection, vocab_size: int, patch_size: int) -> AutoencoderShape:
    names = set(AutoencoderShape.__dataclass_fields__) - {"vocab_size", "patch_size"}
    return AutoencoderShape(vocab_size, patch_size, **{name: getattr(section, name) for name in sorted(names)})


def held_out_chunks(config: Config, special: Special) -> dict[str, Tensor]:
    shards = {name: config.run / "shards" / name for name in config.data.held_out}
    documents = {name: held_out_documents(path, special, 2048, HELD_OUT_DOCUMENTS) for name, path in shards.items()}
    return {name: torch.cat([torch.from_numpy(d) for d in group]) for name, group in documents.items()}


def train(config: Config) -> None:
    section = config.autoencoder
    run = TrainingRun(config, section, "autoencoder", config.patch_size, final_mix=False)
    pad = run.vocabulary.pad
    model = Autoencoder(shape_of(section, run.vocabulary.size, config.patch_size)).to(section.device)
    held_out = held_out_chunks(config, run.special)
    held_out["random"] = random_chunks(4096, config.patch_size, pad)

    def loss_on(tokens: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return autoencoder_loss(model, tokens, pad, section.ae_dropout, section.kl_clamp, section.kl_weight)

    fast_loss = mixed_precision(loss_on, section)

    def loss(progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        chunks, _ = run.rows(progress, section.row_chunks)
        tokens = chunks.flatten(0, 1)
        # Random strings keep the autoencoder honest where the head has not learned yet what text is.
        num_random = int(section.random_share * len(tokens))
        tokens[:num_random] = torch.randint(pad, (num_random, config.patch_size), device=tokens.device)
        return fast_loss(tokens)

    def evaluate() -> dict[str, float]:
        exact = {f"exact_noisy/{name}": exactness(model, chunks, noisy=True) for name, chunks in held_out.items()}
        return exact | {f"exact/{name}": exactness(model, chunks, noisy=False) for name, chunks in held_out.items()}

    def export(facts: dict[str, Any]) -> None:
        settings = {name: getattr(section, name) for name in ("kl_weight", "kl_clamp", "ae_dropout")}
        layout = {
            "architectures": ["Autoencoder"],
            "max_position_embeddings": 2048,
            "tie_word_embeddings": False,
            "training_flops": facts["flops"],
            "training": facts,
        }
        run.write("autoencoder", model, asdict(model.shape) | settings | layout)

    run.train(model, Hooks(loss, evaluate, export), lambda chunks: autoencoder_training_flops(model.shape, chunks))


@told_out_of_memory()
def main() -> None:
    train(parse_command_line("autoencoder"))


if __name__ == "__main__":
    main()
