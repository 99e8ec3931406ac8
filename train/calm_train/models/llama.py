"""LlamaForCausalLM with tied embeddings: the token baseline, K = 1."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_train.models.backbone import Backbone, BackboneShape, document_mask
from calm_train.models.layers import initialize


class Llama(nn.Module):
    def __init__(self, shape: BackboneShape):
        super().__init__()
        self.shape = shape
        self.model = Backbone(shape)
        initialize(self, embedding_std=shape.hidden_size**-0.5)

    def hidden(
        self, chunks: Tensor, mask: Tensor | None = None, *, dropout: float = 0.0, positions: Tensor | None = None
    ) -> Tensor:
        """Token ids as chunks of one [B, S, 1] -> hidden states [B, S, h]"""
        if mask is None:
            mask = document_mask(torch.zeros(chunks.shape[:2], device=chunks.device))
        return self.model(self.model.embed_tokens(chunks[..., 0]), mask, dropout, positions)

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., h] -> [..., V]"""
        return F.linear(hidden, self.model.embed_tokens.weight)

    def draw(self, hidden: Tensor, count: int) -> Tensor:
        """Independent draws of the next token: hidden [P, h] -> [count, P, 1]"""
        probabilities = self.logits(hidden).softmax(-1)
        return torch.multinomial(probabilities, count, replacement=True).T[..., None]

    def device(self) -> torch.device:
        return self.model.embed_tokens.weight.device
