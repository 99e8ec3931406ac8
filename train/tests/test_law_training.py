"""Training the backbone by the law of the next chunk: what it minimizes, what it leaves alone, what comes behind it."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from toy import call

from calm_train import calm
from calm_train.law_training import LawTraining
from calm_train.models.calm import Calm
from calm_train.sections import CalmSection

LAW = ("--backbone-only", "true", "--learning-rate", "1e-2")
TUNING = ("--token-weight", "5", "--learning-rate", "1e-2")


def training_of(model: Calm) -> LawTraining:
    section = CalmSection(hidden_size=32, intermediate_size=64, num_hidden_layers=2, dropout=0.0)
    training = LawTraining(model, section)
    # Corrections that are still zero would make every order of the tokens equal.
    for parameter in training.law.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return training


def test_the_loss_is_that_of_the_tokens_within_a_document_one_after_the_other(calm: Calm):
    training = training_of(calm)
    chunks, documents = torch.randint(64, (1, 6, 2)), torch.tensor([[0, 0, 0, 0, 1, 1]])
    loss, figures = training(chunks, documents)
    losses = []
    for start, end in ((0, 4), (4, 6)):
        for last in range(start + 1, end):
            hidden = calm.hidden(chunks[:, start:last])[0, -1:]
            states = training.auxiliary(hidden).unflatten(-1, (2, -1))
            embedding = calm.transformer.embed_tokens.weight
            for i in range(2):
                logits = training.law.logits(i, hidden, states, chunks[0, last : last + 1, :i], embedding)
                losses.append(F.cross_entropy(logits, chunks[0, last, i : i + 1]))
    torch.testing.assert_close(loss, torch.stack(losses).mean())
    assert figures["law"] == loss


def learn(toy: Path, run: Path, start: Path, *arguments: str, steps: int = 3) -> None:
    """In the folder `run`, from where `start` ended; `toy` is the finished run beside its configuration."""
    begin = ("--run", str(run), "--start-from", str(start), "--steps", str(steps))
    call(calm, toy.parent / "toy.toml", *begin, *arguments)


def steps_of(run: Path) -> int:
    return json.loads((run / "checkpoint" / "config.json").read_text())["training"]["steps"]


def test_it_moves_the_backbone_and_nothing_else(run: Path, fresh_run: Path):
    learn(run, fresh_run, run, *LAW)
    before, after = (load_file(folder / "checkpoint" / "model.safetensors") for folder in (run, fresh_run))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("transformer.layers") for name in moved)
    assert all(name.startswith(("transformer.", "embed_proj.")) for name in moved)


def test_it_learns_and_is_scored_by_cross_entropy(run: Path, fresh_run: Path):
    learn(run, fresh_run, run, *LAW, "--evaluate-steps", "10", steps=60)
    rows = [json.loads(line) for line in (fresh_run / "training/calm/metrics.jsonl").read_text().splitlines()]
    figures = [row["held_out_cross_entropy"] for row in rows if "held_out_cross_entropy" in row]
    assert figures[-1] < figures[0] - 0.02
    assert not any("brier_lm" in row for row in rows)


def test_tuning_goes_on_behind_it_with_the_decoder_of_before(run: Path, fresh_run: Path, tmp_path: Path):
    """Tuned, then the backbone alone, then tuned again: each takes over what the one before it had learned."""
    learn(run, fresh_run, run, *TUNING)
    law, tuned = tmp_path / "law", tmp_path / "tuned"
    learn(run, law, fresh_run, *LAW)
    weights = [load_file(folder / "checkpoint" / "model.safetensors") for folder in (fresh_run, law)]
    for name in weights[0]:
        if name.startswith(("mlp_generator.", "ae_model.")):
            torch.testing.assert_close(weights[0][name], weights[1][name], rtol=0, atol=0)
    learn(run, tuned, law, *TUNING)
    assert steps_of(tuned) == 9 + steps_of(run)


def test_tuning_in_the_same_run_is_refused(run: Path, fresh_run: Path):
    with pytest.raises(SystemExit, match="backbone_only = true trains no head, and token_weight = 5 tunes it"):
        learn(run, fresh_run, run, *LAW, "--token-weight", "5")
