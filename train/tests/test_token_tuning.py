"""Tuning by decoded samples: its score and its law against their definitions, and what it leaves alone."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from toy import call

from calm_train import calm as calm_command
from calm_train.brier import brier_terms
from calm_train.chunk_law import ChunkLaw
from calm_train.law_training import LawTraining
from calm_train.models.calm import Calm
from calm_train.sections import CalmSection
from calm_train.token_score import token_score
from calm_train.token_tuning import TokenTuning

TUNING = ("--token-weight", "5", "--learning-rate", "1e-2")


def test_decided_samples_score_as_brier_counts_them():
    rng = np.random.default_rng(0)
    draws, targets = rng.integers(3, size=(2, 50, 2)), rng.integers(3, size=(50, 1, 2))
    first = F.one_hot(torch.from_numpy(targets[:, 0, 0]), 3).float()
    score = token_score(F.one_hot(torch.from_numpy(draws), 3).float(), first, torch.from_numpy(targets))
    terms = brier_terms(draws, targets[:, 0])
    np.testing.assert_allclose(score.numpy(), -(terms[:, 0] + 2 * terms[:, 1]), atol=1e-6)


def test_the_law_itself_scores_best():
    law = torch.tensor([[0.5, 0.2], [0.3, 0.0]])
    others = [torch.tensor([[0.7, 0.0], [0.3, 0.0]]), torch.full((2, 2), 0.25)]
    assert all(expected_score(law, law) < expected_score(other, law) - 0.01 for other in others)


def expected_score(drawn: torch.Tensor, law: torch.Tensor) -> float:
    """Of samples from `drawn` [2, 2], by enumeration of all pairs."""
    pairs = [(i, j) for i in range(2) for j in range(2)]
    targets = torch.tensor(pairs)
    hits = torch.tensor([float(law[p]) for p in pairs])
    total = 0.0
    for a in pairs:
        for b in pairs:
            decoded = F.one_hot(torch.tensor([[a], [b]]), 2).float()
            each = torch.stack([token_score(decoded, law.sum(1)[None], t[None, None])[0] for t in targets])
            total += float(drawn[a] * drawn[b] * (each * hits).sum())
    return total


def law_of(hidden_size: int, patch_size: int) -> ChunkLaw:
    torch.manual_seed(0)
    law = ChunkLaw(hidden_size, patch_size)
    for parameter in law.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return law


def test_a_chunks_cross_entropy_is_that_of_its_tokens_one_after_the_other():
    law, hidden, states, embedding = law_of(4, 3), torch.randn(2, 4), torch.randn(2, 3, 4), torch.randn(5, 4)
    chunks = torch.tensor([[0, 3, 1], [4, 4, 2]])
    logits = [law.logits(i, hidden, states, chunks[:, :i], embedding).log_softmax(-1) for i in range(3)]
    expected = -sum(part.gather(-1, chunks[:, i : i + 1])[:, 0] for i, part in enumerate(logits)) / 3
    torch.testing.assert_close(law.cross_entropy(hidden, states, chunks, embedding), expected)


def test_drawn_chunks_follow_the_law():
    """40,000 positions with one hidden state; nine shares, within 4.5 standard errors each: a false alarm in 1e-4 of
    all seeds, and the seed is fixed. The 16 draws of a position depend on each other, so positions are what counts."""
    law, count = law_of(4, 2), 40_000
    hidden, states, embedding = torch.randn(1, 4), torch.randn(1, 2, 4), torch.randn(3, 4)
    first, chunks = law.draw(hidden.expand(count, -1), states.expand(count, -1, -1), embedding)
    after = torch.stack(
        [law.logits(1, hidden[0], states[0], torch.tensor([token]), embedding).softmax(-1) for token in range(3)]
    )
    expected = (first[0][:, None] * after).flatten()
    share = F.one_hot(chunks[..., 0] * 3 + chunks[..., 1], 9).float().mean(1)
    error = share.std(0) / count**0.5
    assert ((share.mean(0) - expected).abs() < 4.5 * error).all()
    assert expected.max() > 1.5 * expected.min()


def tune(run: Path, fresh_run: Path, *arguments: str) -> None:
    begin = ("--run", str(fresh_run), "--start-from", str(run), "--steps", "3")
    call(calm_command, run.parent / "toy.toml", *begin, *TUNING, *arguments)


def test_it_moves_head_and_decoder_and_nothing_else(run: Path, fresh_run: Path):
    tune(run, fresh_run)
    before, after = (load_file(folder / "checkpoint" / "model.safetensors") for folder in (run, fresh_run))
    moved = {name for name in before if not torch.allclose(before[name], after[name], atol=1e-6)}
    assert any(name.startswith("mlp_generator") for name in moved)
    assert any(name.startswith("ae_model.decoder") for name in moved)
    assert all(name.startswith(("mlp_generator", "ae_model.decoder")) for name in moved)
    assert before.keys() == after.keys()


def test_the_tuned_autoencoder_stands_beside_the_checkpoint(run: Path, fresh_run: Path):
    kept = (fresh_run / "autoencoder" / "model.safetensors").read_bytes()
    tune(run, fresh_run)
    assert (fresh_run / "autoencoder" / "model.safetensors").read_bytes() == kept
    config = json.loads((fresh_run / "checkpoint" / "config.json").read_text())
    folder = fresh_run / "checkpoint" / config["ae_path"]
    whole, own = (load_file(path / "model.safetensors") for path in (fresh_run / "checkpoint", folder))
    for name, value in own.items():
        torch.testing.assert_close(value, whole[f"ae_model.{name}"], rtol=0, atol=0)


def test_a_killed_tuning_goes_on_with_the_same_result(run: Path, fresh_run: Path):
    tune(run, fresh_run)
    weights = fresh_run / "checkpoint" / "model.safetensors"
    before = weights.read_bytes()
    tune(run, fresh_run)
    assert weights.read_bytes() == before


def test_a_backbone_that_learns_too_does_so_by_the_law_alone(calm: Calm):
    """Whatever the head's scores say, the backbone's gradient is that of the law."""
    section = CalmSection(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, dropout=0.0, num_samples=2, token_weight=5
    )
    chunks, documents = torch.randint(64, (1, 6, 2)), torch.zeros(1, 6)
    torch.manual_seed(0)
    tuning, alone = (
        TokenTuning(calm, dataclasses.replace(section, tune_backbone=True)),
        LawTraining(calm, dataclasses.replace(section, token_weight=0.0, backbone_only=True)),
    )
    alone.auxiliary, alone.law = tuning.auxiliary, tuning.law
    gradients = []
    for training in (tuning, alone):
        calm.zero_grad()
        training(chunks, documents)[0].backward()
        gradients.append({name: p.grad for name, p in calm.transformer.named_parameters()})
        assert (calm.mlp_generator.final_layer.output.weight.grad is None) == (training is alone)
    for name, gradient in gradients[1].items():
        assert gradient is not None and gradient.abs().max() > 0
        torch.testing.assert_close(gradients[0][name], gradient)


def test_the_backbone_learns_where_it_is_told_to(run: Path, fresh_run: Path):
    tune(run, fresh_run, "--tune-backbone", "true")
    before, after = (load_file(folder / "checkpoint" / "model.safetensors") for folder in (run, fresh_run))
    moved = {name.split(".")[0] for name in before if not torch.allclose(before[name], after[name], atol=1e-6)}
    assert {"transformer", "mlp_generator", "ae_model"} <= moved
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("ae_model.encoder"))


def test_a_backbone_to_tune_without_a_score_of_tokens_is_refused(run: Path, fresh_run: Path):
    with pytest.raises(SystemExit, match="tune_backbone = true goes with token_weight, which is 0"):
        call(calm_command, run.parent / "toy.toml", "--run", str(fresh_run), "--tune-backbone", "true")


def test_other_heads_are_refused(run: Path, fresh_run: Path):
    with pytest.raises(SystemExit, match='token_weight works with head = "energy" only, not with "flow"'):
        call(calm_command, run.parent / "toy.toml", "--run", str(fresh_run), "--steps", "1", *TUNING, "--head", "flow")
