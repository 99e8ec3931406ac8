"""DropToken and DropLatent: what hides parts of a chunk in training, and in training alone."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from toy import call

from calm_train import autoencoder as autoencoder_command
from calm_train import reconstruction
from calm_train.models.autoencoder import Autoencoder, autoencoder_loss
from calm_train.vocabulary import Vocabulary

RATE, PAD, LATENT = 0.15, 63, 8
CHUNKS = torch.randint(PAD, (40_000, 2), generator=torch.Generator().manual_seed(3))


class Recorder(nn.Module):
    """Encodes everything to the same latent of ones without noise, decodes it to the right tokens, and remembers what
    it was given."""

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        self.tokens = tokens
        return torch.ones(len(tokens), LATENT), torch.full((len(tokens), LATENT), -30.0)

    def decode(self, latent: Tensor) -> Tensor:
        self.latent = latent
        return 50.0 * nn.functional.one_hot(CHUNKS, PAD + 1).float()


def five_standard_errors(rate: float, count: int) -> float:
    """Of a share among so many independent ones: a false alarm in 1.7 million."""
    return 5 * math.sqrt(rate * (1 - rate) / count)


@pytest.fixture
def trained() -> tuple[Recorder, Tensor]:
    torch.manual_seed(0)
    model = Recorder()
    loss, _ = autoencoder_loss(model, CHUNKS, PAD, dropout=RATE, kl_clamp=0.0, kl_weight=0.0)
    return model, loss


def test_drop_token_hides_single_tokens_behind_pad_at_its_rate(trained: tuple[Recorder, Tensor]):
    model, loss = trained
    hidden = model.tokens == PAD
    assert abs(float(hidden.float().mean()) - RATE) < five_standard_errors(RATE, hidden.numel())
    assert torch.equal(model.tokens[~hidden], CHUNKS[~hidden])
    # The tokens of a chunk are hidden independently of each other.
    assert abs(float(hidden.all(1).float().mean()) - RATE**2) < five_standard_errors(RATE**2, len(hidden))
    # Asked for are the tokens that were there, hidden or not.
    assert float(loss) < 1e-6


def test_drop_latent_zeroes_at_its_rate_and_keeps_the_mean(trained: tuple[Recorder, Tensor]):
    model, _ = trained
    dropped = model.latent == 0
    assert abs(float(dropped.float().mean()) - RATE) < five_standard_errors(RATE, dropped.numel())
    torch.testing.assert_close(model.latent[~dropped], torch.full_like(model.latent[~dropped], 1 / (1 - RATE)))


def test_a_rate_of_zero_hides_nothing():
    model = Recorder()
    autoencoder_loss(model, CHUNKS, PAD, dropout=0.0, kl_clamp=0.0, kl_weight=0.0)
    assert torch.equal(model.tokens, CHUNKS)
    assert torch.equal(model.latent, torch.ones_like(model.latent))


@pytest.mark.parametrize("training", [True, False])
def test_outside_of_the_loss_nothing_is_hidden(autoencoder: Autoencoder, monkeypatch, training: bool):
    """Not when it is measured, and not when a CALM encodes and decodes, whatever mode the module is in."""
    chunks, autoencoder = CHUNKS[:500] % 60, autoencoder.train(training)
    mean, log_std = autoencoder.encode(chunks)
    for again in (autoencoder.encode(chunks), autoencoder.encoder(chunks)):
        assert torch.equal(again[0], mean) and torch.equal(again[1], log_std)
    assert torch.equal(autoencoder.decode(mean), autoencoder.decode(mean))
    right = float((autoencoder.decode(mean).argmax(-1) == chunks).float().mean())
    assert reconstruction.exactness(autoencoder, chunks, noisy=False) == pytest.approx(right)


def test_the_trainer_hides_behind_the_vocabularys_pad_at_the_configured_rate(run: Path, fresh_run: Path, monkeypatch):
    seen = []

    def record(model: Autoencoder, tokens: Tensor, mask_id: int, dropout: float, *weights: float):
        seen.append((mask_id, dropout, int(tokens.max())))
        return autoencoder_loss(model, tokens, mask_id, dropout, *weights)

    monkeypatch.setattr(autoencoder_command, "autoencoder_loss", record)
    (fresh_run / "autoencoder").unlink()
    arguments = ("--run", str(fresh_run), "--steps", "2", "--ae-dropout", "0.25")
    call(autoencoder_command, run.parent / "toy.toml", *arguments)
    pad = Vocabulary.load(run / "tokenizer").pad
    assert {(mask_id, dropout) for mask_id, dropout, _ in seen} == {(pad, 0.25)}
    assert max(largest for _, _, largest in seen) < pad
