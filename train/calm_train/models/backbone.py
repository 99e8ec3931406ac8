"""A Llama backbone over vectors: the caller embeds, this attends. Used by the CALM and by the token baseline."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_train.models.layers import GatedMLP, RMSNorm
from calm_train.sections import BackboneSection


@dataclass(frozen=True)
class BackboneShape:
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    rope_theta: float = 10000.0

    @staticmethod
    def of(section: BackboneSection, vocab_size: int) -> "BackboneShape":
        heads = section.num_attention_heads
        return BackboneShape(
            vocab_size=vocab_size,
            hidden_size=section.hidden_size,
            intermediate_size=section.intermediate_size,
            num_hidden_layers=section.num_hidden_layers,
            num_attention_heads=heads,
            num_key_value_heads=section.num_key_value_heads or heads,
        )

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads


def document_mask(documents: Tensor) -> Tensor:
    """[B, S] document numbers -> [B, 1, S, S]: causal, and within the own document only."""
    same = documents[:, :, None] == documents[:, None, :]
    return same.tril()[:, None]


def rotary_table(shape: BackboneShape, positions: Tensor) -> tuple[Tensor, Tensor]:
    """[S] -> cos and sin [S, head_dim]. Attention sees differences of positions only, so counting from the start
    of the row gives what a server gets that counts from the document's first chunk."""
    exponent = torch.arange(0, shape.head_dim, 2, device=positions.device).float() / shape.head_dim
    angles = torch.outer(positions.float(), shape.rope_theta**-exponent)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-right, left], dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, shape: BackboneShape):
        super().__init__()
        self.shape = shape
        h, d = shape.hidden_size, shape.head_dim
        self.q_proj = nn.Linear(h, shape.num_attention_heads * d, bias=False)
        self.k_proj = nn.Linear(h, shape.num_key_value_heads * d, bias=False)
        self.v_proj = nn.Linear(h, shape.num_key_value_heads * d, bias=False)
        self.o_proj = nn.Linear(shape.num_attention_heads * d, h, bias=False)

    def forward(self, x: Tensor, mask: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """[B, S, h] -> [B, S, h]"""
        q, k, v = self.heads_of(x)
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        repeat = self.shape.num_attention_heads // self.shape.num_key_value_heads
        if repeat > 1:
            k, v = k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o_proj(out.transpose(1, 2).flatten(-2))

    def heads_of(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, S, h] -> queries, keys and values [B, heads, S, head_dim], not yet turned by their positions"""
        q, k, v = (
            projection(x).unflatten(-1, (-1, self.shape.head_dim)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        return q, k, v


class Block(nn.Module):
    def __init__(self, shape: BackboneShape):
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden_size)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size)
        self.mlp = GatedMLP(shape.hidden_size, shape.intermediate_size)

    def forward(self, x: Tensor, mask: Tensor, cos: Tensor, sin: Tensor, dropout: float) -> Tensor:
        x = x + F.dropout(self.self_attn(self.input_layernorm(x), mask, cos, sin), dropout)
        return x + F.dropout(self.mlp(self.post_attention_layernorm(x)), dropout)


class Backbone(nn.Module):
    def __init__(self, shape: BackboneShape):
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.num_hidden_layers))
        self.norm = RMSNorm(shape.hidden_size)

    def forward(self, x: Tensor, mask: Tensor, dropout: float = 0.0, positions: Tensor | None = None) -> Tensor:
        """Embedded inputs [B, S, h], mask [B, 1, S, S], positions [S] -> normed hidden states [B, S, h]"""
        if positions is None:
            positions = torch.arange(x.shape[1], device=x.device)
        cos, sin = rotary_table(self.shape, positions)
        x = F.dropout(x, dropout)
        for layer in self.layers:
            x = layer(x, mask, cos, sin, dropout)
        return self.norm(x)
