"""The CALM: a Llama backbone over chunks, an energy head, and a frozen autoencoder (paper 3)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from calm_train.models.autoencoder import Autoencoder
from calm_train.models.backbone import Backbone, BackboneShape, document_mask
from calm_train.models.energy_head import EnergyHead, draw_noise
from calm_train.models.layers import initialize


@dataclass(frozen=True)
class CalmShape:
    backbone: BackboneShape
    noise_size: int
    num_mlp_layers: int


class Calm(nn.Module):
    def __init__(self, shape: CalmShape, autoencoder: Autoencoder):
        super().__init__()
        self.shape = shape
        h, k = shape.backbone.hidden_size, autoencoder.shape.patch_size
        self.transformer = Backbone(shape.backbone)
        self.embed_proj = nn.Sequential(
            nn.Linear(k * h, 2 * h), nn.SiLU(), nn.Linear(2 * h, h), nn.LayerNorm(h, eps=1e-6)
        )
        self.mlp_generator = EnergyHead(h, shape.noise_size, autoencoder.shape.latent_size, shape.num_mlp_layers)
        initialize(self, embedding_std=0.3)
        # Zero here, and only here: every sample starts at the origin and the pair term opens them up.
        nn.init.zeros_(self.mlp_generator.final_layer.output.weight)
        # After `initialize`, which must not touch trained weights.
        self.ae_model = autoencoder.requires_grad_(False)

    def hidden(
        self,
        chunks: Tensor,
        mask: Tensor | None = None,
        *,
        dropout: float = 0.0,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Token ids [B, S, K] -> hidden states [B, S, h]; state i predicts chunk i + 1."""
        if mask is None:
            mask = document_mask(torch.zeros(chunks.shape[:2], device=chunks.device))
        embedded = self.embed_proj(self.transformer.embed_tokens(chunks).flatten(-2))
        return self.transformer(embedded, mask, dropout, positions)

    def latents(self, hidden: Tensor, noise: Tensor) -> Tensor:
        """hidden [..., h], noise [N, ..., noise] -> [N, ..., latent]"""
        return self.mlp_generator(hidden, noise)

    def tokens(self, latents: Tensor) -> Tensor:
        """[..., latent] -> [..., K]"""
        return self.ae_model.decode(latents).argmax(-1)

    def draw(self, hidden: Tensor, count: int) -> Tensor:
        """Independent draws of the next chunk: hidden [P, h] -> [count, P, K]"""
        return self.tokens(
            self.latents(hidden, draw_noise(count, len(hidden), self.shape.noise_size, device=hidden.device))
        )

    def device(self) -> torch.device:
        return self.transformer.embed_tokens.weight.device
