"""`python -m calm_train.baseline --config ...`: trains a LlamaForCausalLM of the same kind, one token a step."""

from dataclasses import asdict

import torch
import torch.nn.functional as F
from torch import Tensor

from calm_train.brier import brier_lm_with_error
from calm_train.checkpoint import COMMON, LLAMA, official_tensors, special_ids, write_folder
from calm_train.config import Config, parse_command_line
from calm_train.data import Mixture, Special, held_out_documents
from calm_train.evaluate import Batch, batch_documents, brier_positions
from calm_train.flops import llama_training_flops
from calm_train.loop import Hooks, Loop
from calm_train.models.backbone import BackboneShape, document_mask
from calm_train.models.llama import Llama
from calm_train.precision import mixed_precision
from calm_train.vocabulary import Vocabulary

HELD_OUT_DOCUMENTS = 48


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


def build(config: Config, vocabulary: Vocabulary) -> Llama:
    names = set(BackboneShape.__dataclass_fields__) - {"vocab_size", "rope_theta"}
    sizes = {name: getattr(config.baseline, name) for name in names}
    return Llama(BackboneShape(vocab_size=vocabulary.size, **sizes))


def main() -> None:
    config = parse_command_line("baseline")
    section = config.baseline
    torch.set_num_threads(section.threads)
    torch.manual_seed(section.seed)
    vocabulary = Vocabulary.load(config.run / "tokenizer")
    special = Special.of(vocabulary, patch_size=1)
    model = build(config, vocabulary).to(section.device)
    shards = config.run / "shards"
    mixture = Mixture(shards, set(config.data.mix) | set(config.data.final_mix), special, section.seed)
    documents = held_out_documents(
        shards / config.data.held_out[0], special, section.max_position_embeddings, HELD_OUT_DOCUMENTS
    )
    held_out = batch_documents(documents).to(section.device)

    def loss_on(tokens: Tensor, numbers: Tensor) -> Tensor:
        return next_token_loss(model, tokens, numbers, section.dropout)

    fast_loss = mixed_precision(loss_on, section)

    def loss(progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        weights = config.data.mix_at(progress)
        tokens, numbers = mixture.rows(section.rows, section.row_chunks + 1, weights)
        batch = torch.from_numpy(tokens[..., 0]).to(section.device), torch.from_numpy(numbers).to(section.device)
        return fast_loss(*batch), {}

    def evaluate() -> dict[str, float]:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            score, error = brier_lm_with_error(brier_positions(model, documents, special.eos, 128))
        cross_entropy = held_out_cross_entropy(model, held_out)
        return {"held_out_cross_entropy": cross_entropy, "brier_lm": score, "brier_lm_error": error}

    def export(facts: dict) -> None:
        own = {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "max_position_embeddings": section.max_position_embeddings,
            "tie_word_embeddings": True,
            "training_flops": llama_training_flops(model.shape, section.row_chunks, facts["tokens"]),
            "training": facts,
        }
        written = COMMON | LLAMA | special_ids(vocabulary) | asdict(model.shape) | own
        generation = {"temperature": section.temperature, "max_tokens": section.max_tokens}
        write_folder(config.run / "baseline", written, official_tensors(model), config.run / "tokenizer", generation)

    folder = config.run / "training" / "baseline"
    hooks = Hooks(loss, evaluate, export, mixture.reseed)
    facts = Loop(model, section, folder, hooks, section.rows * section.row_chunks).run()
    print(f"baseline in {config.run / 'baseline'}: {facts['steps']} steps, {facts['tokens']:,} tokens")


if __name__ == "__main__":
    main()
