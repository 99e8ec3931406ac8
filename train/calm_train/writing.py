"""Text that a trained baseline writes, many documents at once, with a cache of keys and values."""

import torch
import torch.nn.functional as F
from torch import Tensor

from calm_train.models.backbone import Attention, Block, rotary_table, rotate
from calm_train.models.llama import Llama

# Finished rows are dropped from the batch every so many steps: a copy of the cache costs as much as a few of them.
STEPS_BETWEEN_DROPS = 16


@torch.no_grad()
def continue_documents(
    model: Llama, openings: Tensor, eos: int, temperature: float, max_tokens: int, generator: torch.Generator
) -> list[list[int] | None]:
    """Continues openings [B, S] at a temperature until EOS. Returns the tokens behind each opening, without EOS;
    None where there was none after `max_tokens`, the opening counted."""
    count, length = openings.shape
    cache = _Cache(model, count, max_tokens)
    tokens = torch.cat([openings, openings.new_empty(count, max_tokens - length)], dim=1)
    written: list[list[int] | None] = [None] * count
    rows, alive = torch.arange(count), torch.ones(count, dtype=torch.bool)
    hidden = cache.extend(openings)
    for position in range(length, max_tokens):
        drawn = _draw((model.logits(hidden) / temperature).softmax(-1), generator)
        tokens[:, position] = drawn
        for row in (alive & (drawn == eos)).nonzero()[:, 0].tolist():
            written[int(rows[row])] = tokens[row, length:position].tolist()
            alive[row] = False
        if not alive.any():
            break
        if position % STEPS_BETWEEN_DROPS == 0 and not alive.all():
            rows, tokens, drawn = rows[alive], tokens[alive], drawn[alive]
            cache.keep(alive)
            alive = alive[alive]
        hidden = cache.extend(drawn[:, None])
    return written


def _draw(probabilities: Tensor, generator: torch.Generator) -> Tensor:
    """[B, V] -> [B] by one random number a row; `multinomial` takes one for each token of the vocabulary, which was a
    third of the whole time."""
    sums = probabilities.cumsum(-1)
    # Below the last sum, whatever rounding made of it.
    at = torch.rand(len(sums), 1, generator=generator) * sums[:, -1:]
    return torch.searchsorted(sums, at, right=True).clamp(max=sums.shape[1] - 1)[:, 0]


class _Cache:
    """Keys and values of all layers for a batch of rows that are equally long."""

    def __init__(self, model: Llama, rows: int, max_tokens: int):
        self.model, self.length = model, 0
        shape = model.shape
        size = (rows, shape.num_key_value_heads, max_tokens, shape.head_dim)
        self.layers = [(torch.empty(size), torch.empty(size)) for _ in range(shape.num_hidden_layers)]

    def keep(self, rows: Tensor) -> None:
        self.layers = [(keys[rows], values[rows]) for keys, values in self.layers]

    def extend(self, tokens: Tensor) -> Tensor:
        """Reads tokens [B, S] -> the hidden state of the last of them [B, h]"""
        backbone, end = self.model.model, self.length + tokens.shape[1]
        cos, sin = rotary_table(backbone.shape, torch.arange(self.length, end))
        x = backbone.embed_tokens(tokens)
        for layer, (keys, values) in zip(backbone.layers, self.layers, strict=True):
            assert isinstance(layer, Block)
            x = x + self._attend(layer.self_attn, layer.input_layernorm(x), cos, sin, keys, values)
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        self.length = end
        return backbone.norm(x[:, -1])

    def _attend(
        self, attention: Attention, x: Tensor, cos: Tensor, sin: Tensor, keys: Tensor, values: Tensor
    ) -> Tensor:
        q, k, v = attention.heads_of(x)
        end = self.length + x.shape[1]
        keys[:, :, self.length : end], values[:, :, self.length : end] = rotate(k, cos, sin), v
        known_keys, known_values = keys[:, :, :end], values[:, :, :end]
        # Several tokens are read at the start only, where causality is the square that it is in training.
        out = F.scaled_dot_product_attention(
            rotate(q, cos, sin), known_keys, known_values, is_causal=x.shape[1] > 1, enable_gqa=q.shape[1] != k.shape[1]
        )
        return attention.o_proj(out.transpose(1, 2).flatten(-2))
