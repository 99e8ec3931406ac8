"""The last part of a CALM's training: the tokens that its samples decode to are scored as well."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_train.calm_training import auxiliary_map, chunk_weights, token_states
from calm_train.chunk_law import ChunkLaw
from calm_train.energy import energy_loss, expected_distance
from calm_train.models.backbone import document_mask
from calm_train.models.calm import Calm
from calm_train.models.energy_head import EnergyHead
from calm_train.sections import CalmSection
from calm_train.token_score import token_score

# Of the chunks that keep the decoder exact: strings of random tokens, since odd text must survive.
RANDOM_SHARE = 0.15


class TokenTuning(nn.Module):
    """Tunes head and decoder of a trained CALM. The encoder stays as it is, and so does the backbone unless
    `tune_backbone`: then it learns by the law of the next chunk's tokens alone, and head and decoder follow each step.

    The energy score hardly feels samples that lie between two chunks, which decode to neither; the Brier score of
    decoded samples does. It needs less noise than single targets from the text give, so both scores are taken against
    the law that the auxiliary map has learned. The decoder learns what the head really sends it, and by a
    cross-entropy of its own it still inverts the encoder.
    """

    def __init__(self, model: Calm, section: CalmSection):
        super().__init__()
        if not isinstance(model.head, EnergyHead):
            raise SystemExit(f'token_weight works with head = "energy" only, not with "{section.head}"')
        self.model, self.section = model, section
        self.auxiliary = auxiliary_map(model, section)
        self.law = ChunkLaw(section.hidden_size, model.ae_model.shape.patch_size)
        model.ae_model.decoder.requires_grad_(True)

    def forward(self, chunks: Tensor, documents: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """chunks [B, S+1, K], documents [B, S+1] -> loss and figures; chunk i predicts chunk i + 1."""
        section = self.section
        hidden, embedding = self._backbone(chunks, documents)
        targets = chunks[:, 1:].flatten(0, 1)
        weight = chunk_weights(documents).flatten()
        states = token_states(self.auxiliary, hidden)
        auxiliary = (self.law.cross_entropy(hidden, states, targets, embedding) * weight).sum()
        energy, brier = self._scores(hidden.detach(), *self.law.draw(hidden, states, embedding))
        figures = {"energy": (energy * weight).sum(), "brier": (brier * weight).sum(), "auxiliary": auxiliary}
        decoder = self._reconstruction(targets)
        loss = figures["energy"] + section.token_weight * figures["brier"]
        loss = loss + section.auxiliary_weight * auxiliary + decoder
        return loss, {name: value.detach() for name, value in (figures | {"decoder": decoder}).items()}

    def _backbone(self, chunks: Tensor, documents: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states [P, h] and the embedding [V, h], to learn from or to take as they are."""
        section, model = self.section, self.model
        mask = document_mask(documents[:, :-1])
        dropout = section.dropout if section.tune_backbone else 0.0
        hidden = model.hidden(chunks[:, :-1], mask, dropout=dropout).flatten(0, 1)
        embedding = model.transformer.embed_tokens.weight
        return (hidden, embedding) if section.tune_backbone else (hidden.detach(), embedding.detach())

    def _scores(self, hidden: Tensor, first: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """hidden [P, h], law of the first token [P, V], chunks that follow the law [P, M, K] -> two scores [P]"""
        section, model = self.section, self.model
        samples = model.head(hidden, model.head.draw_noise(section.num_samples, len(hidden), device=hidden.device))
        with torch.no_grad():
            mean, log_std = model.ae_model.encode(targets)
        distance = expected_distance(samples[:, :, None], mean, log_std, section.beta).mean(-1)
        decoded = model.ae_model.decode(samples).float().softmax(-1)
        return energy_loss(samples, distance, section.beta), token_score(decoded, first, targets)

    def _reconstruction(self, targets: Tensor) -> Tensor:
        """Cross-entropy of chunks [P, K] under posterior noise, random ones among them."""
        autoencoder = self.model.ae_model
        odd = torch.rand(len(targets), 1, device=targets.device) < RANDOM_SHARE
        tokens = torch.where(odd, torch.randint_like(targets, autoencoder.shape.vocab_size), targets)
        with torch.no_grad():
            mean, log_std = autoencoder.encode(tokens)
            latents = mean + log_std.exp() * torch.randn_like(mean)
        return F.cross_entropy(autoencoder.decode(latents).float().flatten(0, 1), tokens.flatten())
