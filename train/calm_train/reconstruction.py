"""How exactly the autoencoder gives tokens back, with and without posterior noise."""

import numpy as np
import torch
from torch import Tensor

from calm_train.models.autoencoder import Autoencoder


@torch.no_grad()
def exactness(model: Autoencoder, chunks: Tensor, noisy: bool) -> float:
    """Share of tokens in chunks [B, K] that decode to themselves."""
    right = 0
    device = model.encoder.embed_tokens.weight.device
    for part in chunks.to(device).split(4096):
        mean, log_std = model.encode(part)
        latent = mean + log_std.exp() * torch.randn_like(mean) if noisy else mean
        right += int((model.decode(latent).argmax(-1) == part).sum())
    return right / chunks.numel()


def random_chunks(count: int, patch_size: int, vocab_size: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, vocab_size, size=(count, patch_size)))
