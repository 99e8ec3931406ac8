"""`python -m calm_train.baseline --config ...`: trains a LlamaForCausalLM of the same kind, one token a step."""

from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from calm_train.brier import brier_lm_with_error
from calm_train.checkpoint import LLAMA
from calm_train.config import Config, parse_command_line
from calm_train.flops import llama_training_flops
from calm_train.held_out import Batch, batch_documents, brier_positions
from calm_train.loop import Hooks
from calm_train.memory import told_out_of_memory
from calm_train.models.backbone import BackboneShape, document_mask
from calm_train.models.llama import Llama
from calm_train.precision import mixed_precision
from calm_train.training_run import TrainingRun


def next_token_loss(model: Llama, tokens: Tensor, documents: Tensor, dropout: float = 0.0) -> Tensor:
    """tokens [B, S+1], documents [B, S+1] -> mean cross-entropy within documents."""
    hidden = model.hidden(tokens[:, :-1, None], document_mask(documents[:, :-1]), dropout=dropout)
    logits = model.logits(hidden).float()
    losses = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    weight = (documents[:, 1:] == documents[:, :-1]).flatten().float()
    return (losses * weight).sum() / weight.sum()


@torch.no_grad()
def held_out_cross_entropy(model: Llama, batch: Batch) -> float:
    # Padding counts as a document of its own, so nothing predicts it from the text.
    documents = torch.where(batch.valid, 0, torch.arange(1, batch.valid.shape[1] + 1, device=batch.valid.device))
    return float(next_token_loss(model, batch.chunks[..., 0], documents))


def train(config: Config) -> None:
    section = config.baseline
    run = TrainingRun(config, section, "baseline", patch_size=1)
    model = Llama(BackboneShape.of(section, run.vocabulary.size)).to(section.device)
    documents = run.held_out(section.max_position_embeddings)
    held_out = batch_documents(documents).to(section.device)

    def loss_on(tokens: Tensor, numbers: Tensor) -> Tensor:
        return next_token_loss(model, tokens, numbers, section.dropout)

    fast_loss = mixed_precision(loss_on, section)

    def loss(progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        tokens, numbers = run.rows(progress, section.row_chunks + 1)
        return fast_loss(tokens[..., 0], numbers), {}

    def evaluate() -> dict[str, float]:
        torch.manual_seed(0)
        score, error = brier_lm_with_error(brier_positions(model, documents, run.special.eos, 128))
        cross_entropy = held_out_cross_entropy(model, held_out)
        return {"held_out_cross_entropy": cross_entropy, "brier_lm": score, "brier_lm_error": error}

    def export(facts: dict[str, Any]) -> None:
        own = {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "max_position_embeddings": section.max_position_embeddings,
            "tie_word_embeddings": True,
            "training_flops": facts["flops"],
            "training": facts,
        }
        run.write("baseline", model, LLAMA | asdict(model.shape) | own, ("temperature", "max_tokens"))

    def flops_of(tokens: int) -> int:
        return llama_training_flops(model.shape, section.row_chunks, tokens)

    run.train(model, Hooks(loss, evaluate, export), flops_of)


@told_out_of_memory()
def main() -> None:
    train(parse_command_line("baseline"))


if __name__ == "__main__":
    main()
