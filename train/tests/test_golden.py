"""All three models against what the official code computed with the same weights and the same noise."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from calm_train.checkpoint import load_calm

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"


@pytest.mark.parametrize(("kind", "tolerance"), [("energy", 1e-4), ("flow", 1e-4), ("diffusion", 1e-3)])
@torch.no_grad()
def test_computes_what_the_official_code_computes(kind: str, tolerance: float):
    case = GOLDEN / f"{kind}-k4"
    model = load_calm(case / "checkpoint", case / "autoencoder")
    expected = load_file(case / "golden.safetensors")
    chunks = expected["input_ids"].unflatten(1, (-1, 4))
    hidden = model.hidden(chunks)
    latent = model.latents(hidden, expected["noise"][None])[0]
    mean, log_std = model.ae_model.encode(chunks)
    computed = {"hidden": hidden, "latent": latent, "logits": model.ae_model.decode(latent)}
    for name, value in (computed | {"ae_mean": mean, "ae_log_std": log_std}).items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=tolerance * float(expected[name].std()))
    assert torch.equal(model.tokens(latent), expected["tokens"])
