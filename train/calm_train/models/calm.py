"""The CALM: a Llama backbone over chunks, a generative head, and a frozen autoencoder (paper 3)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from calm_train.models.autoencoder import Autoencoder
from calm_train.models.backbone import Backbone, BackboneShape, document_mask
from calm_train.models.heads import Head, HeadShape, build_head
from calm_train.models.layers import initialize

# Positions that draw together.
PART = 1024


@dataclass(frozen=True)
class CalmShape:
    backbone: BackboneShape
    head: HeadShape


class Calm(nn.Module):
    def __init__(self, shape: CalmShape, autoencoder: Autoencoder):
        super().__init__()
        self.shape = shape
        h, k = shape.backbone.hidden_size, autoencoder.shape.patch_size
        self.transformer = Backbone(shape.backbone)
        self.embed_proj = nn.Sequential(
            nn.Linear(k * h, 2 * h), nn.SiLU(), nn.Linear(2 * h, h), nn.LayerNorm(h, eps=1e-6)
        )
        head = build_head(shape.head, h, autoencoder.shape.latent_size)
        # The published checkpoints hold the energy head under the first name, the others under the second alone.
        self.head_name = "mlp_generator" if shape.head.kind == "energy" else "generative_head"
        self.add_module(self.head_name, head)
        initialize(self, embedding_std=0.3)
        head.start()
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

    @property
    def head(self) -> Head:
        return getattr(self, self.head_name)

    def latents(self, hidden: Tensor, noise: Tensor) -> Tensor:
        """hidden [..., h], noise [N, ...] as the head draws it -> [N, ..., latent]"""
        return self.head(hidden, noise)

    def draw_latents(self, hidden: Tensor, count: int) -> Tensor:
        """Independent draws: hidden [P, h] -> [count, P, latent], in parts since the noise of many steps is large."""
        parts = [
            self.latents(part, self.head.draw_noise(count, len(part), device=part.device))
            for part in hidden.split(PART)
        ]
        return torch.cat(parts, dim=1)

    def tokens(self, latents: Tensor) -> Tensor:
        """[..., latent] -> [..., K]"""
        return self.ae_model.decode(latents).argmax(-1)

    def draw(self, hidden: Tensor, count: int) -> Tensor:
        """Independent draws of the next chunk: hidden [P, h] -> [count, P, K]"""
        return self.tokens(self.draw_latents(hidden, count))

    def device(self) -> torch.device:
        return self.transformer.embed_tokens.weight.device
