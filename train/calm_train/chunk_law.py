"""What a hidden state says of the next chunk's tokens, as probabilities: training alone has them, never the server."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# How many tokens are drawn behind each prefix: four first tokens, four second ones behind each, then one.
BRANCHES = (4, 4)


class ChunkLaw(nn.Module):
    """P(x_1 | h) P(x_2 | h, x_1) ... over the tokens of one chunk, with the backbone's embedding as output matrix.

    Position i adds a correction, which sees the tokens before it, to what the auxiliary map predicts from the hidden
    state alone. The corrections begin at zero.
    """

    def __init__(self, hidden_size: int, patch_size: int):
        super().__init__()
        h = hidden_size
        self.corrections = nn.ModuleList(
            nn.Sequential(nn.Linear((i + 1) * h, h), nn.SiLU(), nn.Linear(h, h)) for i in range(1, patch_size)
        )
        for correction in self.corrections:
            assert isinstance(correction, nn.Sequential)
            first, _, last = correction
            assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
            nn.init.normal_(first.weight, std=0.7 / first.in_features**0.5)
            for start in (first.bias, last.weight, last.bias):
                nn.init.zeros_(start)

    def logits(self, index: int, hidden: Tensor, states: Tensor, earlier: Tensor, embedding: Tensor) -> Tensor:
        """Of the token at `index`: hidden [..., h], states [..., K, h] of the auxiliary map, the tokens before it
        [..., index], embedding [V, h] -> [..., V]"""
        state = states[..., index, :]
        if index:
            seen = F.embedding(earlier, embedding).flatten(-2)
            state = state + self.corrections[index - 1](torch.cat([hidden, seen], dim=-1))
        return F.linear(state, embedding).float()

    def cross_entropy(self, hidden: Tensor, states: Tensor, targets: Tensor, embedding: Tensor) -> Tensor:
        """Of the chunks [P, K] that follow: hidden [P, h], states [P, K, h] -> mean over the chunk's tokens [P]"""
        losses = [
            F.cross_entropy(self.logits(i, hidden, states, targets[:, :i], embedding), targets[:, i], reduction="none")
            for i in range(targets.shape[1])
        ]
        return torch.stack(losses).mean(0)

    @torch.no_grad()
    def draw(self, hidden: Tensor, states: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """hidden [P, h], states [P, K, h] -> P(x_1) [P, V], and chunks [P, M, K], each of which follows the law. Those
        with the same first token are not independent of each other: averages over them are unbiased all the same."""
        probabilities = self.logits(0, hidden, states, states[:, 0, :0].long(), embedding).softmax(-1)
        chunks = torch.multinomial(probabilities, BRANCHES[0], replacement=True)[..., None]
        for i in range(1, states.shape[1]):
            count = BRANCHES[i] if i < len(BRANCHES) else 1
            prefixes = chunks.shape[1]
            wide, wide_states = hidden[:, None].expand(-1, prefixes, -1), states[:, None].expand(-1, prefixes, -1, -1)
            after = self.logits(i, wide, wide_states, chunks, embedding).softmax(-1)
            drawn = torch.multinomial(after.flatten(0, 1), count, replacement=True).unflatten(0, (-1, prefixes))
            chunks = chunks[:, :, None].expand(-1, -1, count, -1)
            chunks = torch.cat([chunks, drawn[..., None]], dim=-1).flatten(1, 2)
        return probabilities, chunks
