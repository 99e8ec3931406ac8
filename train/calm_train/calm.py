"""`python -m calm_train.calm --config ...`: trains backbone and head on a frozen autoencoder (paper 3)."""

from dataclasses import asdict

import torch
from torch import Tensor

from calm_train.brier import brier_lm_with_error
from calm_train.calm_training import CalmTraining
from calm_train.checkpoint import (
    COMMON,
    LLAMA,
    load_autoencoder,
    official_tensors,
    read_config,
    special_ids,
    write_folder,
)
from calm_train.config import Config, parse_command_line
from calm_train.data import Mixture, Special, held_out_documents
from calm_train.evaluate import batch_documents, brier_positions, held_out_energy
from calm_train.flops import calm_training_flops
from calm_train.loop import Hooks, Loop
from calm_train.models.backbone import BackboneShape
from calm_train.models.calm import Calm, CalmShape
from calm_train.models.heads import HeadShape
from calm_train.precision import mixed_precision
from calm_train.vocabulary import Vocabulary

HELD_OUT_DOCUMENTS = 48


def build(config: Config, vocabulary: Vocabulary) -> Calm:
    section = config.calm
    backbone = BackboneShape(
        vocab_size=vocabulary.size,
        hidden_size=section.hidden_size,
        intermediate_size=section.intermediate_size,
        num_hidden_layers=section.num_hidden_layers,
        num_attention_heads=section.num_attention_heads,
        num_key_value_heads=section.num_attention_heads,
    )
    head = HeadShape(section.head, section.noise_size, section.num_mlp_layers, section.head_steps)
    return Calm(CalmShape(backbone, head), load_autoencoder(config.run / "autoencoder"))


def checkpoint_config(config: Config, model: Calm, vocabulary: Vocabulary, facts: dict) -> dict:
    section, autoencoder = config.calm, model.ae_model.shape
    flops = calm_training_flops(
        model.shape.backbone,
        autoencoder,
        model.shape.head,
        section.num_samples,
        section.row_chunks,
        facts["tokens"] // config.patch_size,
        section.auxiliary_weight > 0,
    )
    own = {
        "architectures": [f"{section.head.capitalize()}Transformer"],
        "model_type": section.head,
        "ae_path": "../autoencoder",
        "patch_size": config.patch_size,
        "latent_size": autoencoder.latent_size,
        "tie_word_embeddings": False,
        # The autoencoder is part of the model, so its training counts.
        "training_flops": flops + read_config(config.run / "autoencoder").get("training_flops", 0),
        "training": facts,
    }
    names = ("noise_size", "num_mlp_layers", "num_samples", "beta", "max_position_embeddings")
    shape = asdict(model.shape.backbone) | {name: getattr(section, name) for name in names}
    if section.head != "energy":
        own["num_inference_steps"] = model.shape.head.steps
    return COMMON | LLAMA | special_ids(vocabulary) | shape | own


def main() -> None:
    config = parse_command_line("calm")
    section = config.calm
    torch.set_num_threads(section.threads)
    torch.manual_seed(section.seed)
    vocabulary = Vocabulary.load(config.run / "tokenizer")
    special = Special.of(vocabulary, config.patch_size)
    model = build(config, vocabulary)
    training = CalmTraining(model, section).to(section.device)
    shards = config.run / "shards"
    mixture = Mixture(shards, set(config.data.mix) | set(config.data.final_mix), special, section.seed)
    documents = held_out_documents(
        shards / config.data.held_out[0], special, section.max_position_embeddings, HELD_OUT_DOCUMENTS
    )
    held_out = batch_documents(documents).to(section.device)

    fast_loss = mixed_precision(training, section)

    def loss(progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        weights = config.data.mix_at(progress)
        chunks, numbers = mixture.rows(section.rows, section.row_chunks + 1, weights)
        return fast_loss(torch.from_numpy(chunks).to(section.device), torch.from_numpy(numbers).to(section.device))

    def evaluate() -> dict[str, float]:
        # The same draws each time, so that two evaluations differ by the model alone.
        with torch.random.fork_rng():
            torch.manual_seed(0)
            # A draw of the other heads costs up to a hundred times as much; two are enough for an unbiased score.
            samples = section.num_samples if section.head == "energy" else 2
            energy = held_out_energy(model, held_out, samples, section.beta)
            score, error = brier_lm_with_error(brier_positions(model, documents, special.eos, 128))
        return {"held_out_energy": energy, "brier_lm": score, "brier_lm_error": error}

    def export(facts: dict) -> None:
        written = checkpoint_config(config, model, vocabulary, facts)
        names = ("temperature", "num_candidates", "max_tokens")
        generation = {name: getattr(section, name) for name in names}
        write_folder(config.run / "checkpoint", written, official_tensors(model), config.run / "tokenizer", generation)

    tokens_per_step = section.rows * section.row_chunks * config.patch_size
    folder = config.run / "training" / "calm"
    hooks = Hooks(loss, evaluate, export, mixture.reseed)
    facts = Loop(training, section, folder, hooks, tokens_per_step).run()
    print(f"CALM in {config.run / 'checkpoint'}: {facts['steps']} steps, {facts['tokens']:,} tokens")


if __name__ == "__main__":
    main()
