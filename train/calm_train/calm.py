"""`python -m calm_train.calm --config ...`: trains backbone and head on a frozen autoencoder (paper 3)."""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from calm_train.brier import brier_lm_with_error
from calm_train.calm_training import CalmTraining
from calm_train.checkpoint import LLAMA, WEIGHTS, file_fingerprint, load_autoencoder, read_config
from calm_train.chunk_law import BRANCHES
from calm_train.config import Config, parse_command_line
from calm_train.distillation_costs import distillations
from calm_train.flops import calm_training_flops, law_training_flops, token_tuning_flops
from calm_train.held_out import batch_documents, brier_positions, held_out_energy
from calm_train.law_training import LawTraining
from calm_train.loop import Hooks
from calm_train.memory import told_out_of_memory
from calm_train.models.backbone import BackboneShape
from calm_train.models.calm import Calm, CalmShape
from calm_train.models.energy_head import EnergyHead
from calm_train.models.heads import HeadShape
from calm_train.precision import mixed_precision
from calm_train.sections import CalmSection
from calm_train.token_tuning import TokenTuning
from calm_train.training_run import TrainingRun
from calm_train.vocabulary import Vocabulary

# The frozen autoencoder that a run begins with, and the one whose decoder it has tuned.
AUTOENCODER, TUNED = "autoencoder", "autoencoder-tuned"


def build(config: Config, vocabulary: Vocabulary) -> Calm:
    section, folder = config.calm, config.run / AUTOENCODER
    if Vocabulary.load(folder) != vocabulary:
        raise SystemExit(
            f"{folder} was trained with another tokenizer than {config.run / 'tokenizer'}; train the autoencoder anew"
        )
    autoencoder = load_autoencoder(folder)
    if autoencoder.shape.patch_size != config.patch_size:
        raise SystemExit(
            f"{folder} packs {autoencoder.shape.patch_size} tokens into a latent, but patch_size is "
            f"{config.patch_size}; train an autoencoder for it"
        )
    backbone = BackboneShape.of(section, vocabulary.size)
    head = HeadShape(section.head, section.noise_size, section.num_mlp_layers, section.head_steps)
    model = Calm(CalmShape(backbone, head), autoencoder)
    if section.start_from and isinstance(model.head, EnergyHead):
        # Blocks that the earlier run has take its weights; those that are new must not disturb what it learned.
        model.head.pass_through()
    return model


def checkpoint_config(config: Config, model: Calm, facts: dict[str, Any]) -> dict[str, Any]:
    section, autoencoder = config.calm, model.ae_model.shape
    own = {
        "architectures": [f"{section.head.capitalize()}Transformer"],
        "model_type": section.head,
        "ae_path": f"../{TUNED if hands_on_decoder(section) else AUTOENCODER}",
        "patch_size": config.patch_size,
        "latent_size": autoencoder.latent_size,
        "tie_word_embeddings": False,
        # The autoencoder is part of the model, so its training counts.
        "training_flops": facts["flops"],
        "training": facts,
    }
    if taught := distillations(config):
        own |= {"distillations": taught, "distillation_flops": sum(taught.values())}
    names = ("noise_size", "num_mlp_layers", "num_samples", "beta", "max_position_embeddings")
    if section.head != "energy":
        own["num_inference_steps"] = model.shape.head.steps
    return LLAMA | asdict(model.shape.backbone) | {name: getattr(section, name) for name in names} | own


def hands_on_decoder(section: CalmSection) -> bool:
    """Whether the decoder is part of the run: one that tunes it, or that may stand between two that do."""
    return section.token_weight > 0 or section.backbone_only


def training_of(model: Calm, section: CalmSection) -> CalmTraining | TokenTuning | LawTraining:
    if section.backbone_only:
        return LawTraining(model, section)
    return (TokenTuning if section.token_weight else CalmTraining)(model, section)


def train(config: Config) -> None:
    section, folder = config.calm, config.run / AUTOENCODER
    run = TrainingRun(config, section, "calm", config.patch_size)
    model = build(config, run.vocabulary)
    training = training_of(model, section).to(section.device)
    documents = run.held_out(section.max_position_embeddings)
    held_out = batch_documents(documents).to(section.device)
    fast_loss = mixed_precision(training, section)

    def loss(progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        return fast_loss(*run.rows(progress, section.row_chunks + 1))

    def evaluate() -> dict[str, float]:
        # The same draws each time, so that two evaluations differ by the model alone.
        torch.manual_seed(0)
        if isinstance(training, LawTraining):
            # Its head knows nothing of the new hidden states, so draws would say nothing.
            return {"held_out_cross_entropy": training.held_out(held_out)}
        # A draw of the other heads costs up to a hundred times as much; two are enough for an unbiased score.
        samples = section.num_samples if section.head == "energy" else 2
        energy = held_out_energy(model, held_out, samples, section.beta)
        score, error = brier_lm_with_error(brier_positions(model, documents, run.special.eos, 128))
        return {"held_out_energy": energy, "brier_lm": score, "brier_lm_error": error}

    def export(facts: dict[str, Any]) -> None:
        written = checkpoint_config(config, model, facts)
        run.write("checkpoint", model, written, ("temperature", "num_candidates", "max_tokens"))
        if hands_on_decoder(section):
            run.write(TUNED, model.ae_model, read_config(folder))

    def flops_of(chunks: int) -> int:
        shapes = (model.shape.backbone, model.ae_model.shape, model.shape.head)
        if section.backbone_only:
            return law_training_flops(model.shape.backbone, config.patch_size, section.row_chunks, chunks)
        if section.token_weight:
            samples, learns = section.num_samples, section.tune_backbone
            return token_tuning_flops(*shapes, samples, section.row_chunks, BRANCHES, chunks, learns)
        auxiliary = section.auxiliary_weight > 0
        return calm_training_flops(*shapes, section.num_samples, section.row_chunks, chunks, auxiliary)

    before = read_config(folder).get("training_flops", 0)
    autoencoder = file_fingerprint(folder / WEIGHTS)
    run.train(training, Hooks(loss, evaluate, export), flops_of, before, autoencoder=autoencoder)


@told_out_of_memory()
def main() -> None:
    train(parse_command_line("calm"))


if __name__ == "__main__":
    main()
