"""What the energy training minimizes: the energy score of the next latent plus an auxiliary cross-entropy."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_train.energy import energy_loss, expected_distance
from calm_train.models.backbone import document_mask
from calm_train.models.calm import Calm
from calm_train.models.energy_head import draw_noise
from calm_train.sections import CalmSection


class EnergyTraining(nn.Module):
    """The model plus what only training needs: linear maps that predict the next chunk's tokens directly.

    Their cross-entropy gives the backbone a gradient without sampling noise; it is worth more than any other
    change that was tried at this scale. They are not part of the checkpoint.
    """

    def __init__(self, model: Calm, section: CalmSection):
        super().__init__()
        self.model, self.section = model, section
        h = section.hidden_size
        self.auxiliary = nn.Linear(h, model.ae_model.shape.patch_size * h, bias=False)
        nn.init.normal_(self.auxiliary.weight, std=0.2 / h**0.5)

    def forward(self, chunks: Tensor, documents: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """chunks [B, S+1, K], documents [B, S+1] -> loss and figures; chunk i predicts chunk i + 1."""
        section, model = self.section, self.model
        hidden = model.hidden(chunks[:, :-1], document_mask(documents[:, :-1]), dropout=section.dropout)
        targets = chunks[:, 1:]
        # No chunk predicts the start of another document.
        weight = (documents[:, 1:] == documents[:, :-1]).float()
        weight = weight / weight.sum()
        with torch.no_grad():
            mean, log_std = model.ae_model.encode(targets)
        samples = model.latents(
            hidden, draw_noise(section.num_samples, *weight.shape, section.noise_size, device=hidden.device)
        )
        distance = expected_distance(samples, mean, log_std, section.beta)
        energy = (energy_loss(samples, distance, section.beta) * weight).sum()
        auxiliary = (self._cross_entropy(hidden, targets) * weight).sum()
        loss = energy + section.auxiliary_weight * auxiliary
        return loss, {"energy": energy.detach(), "auxiliary": auxiliary.detach()}

    def _cross_entropy(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """hidden [B, S, h], targets [B, S, K] -> mean over the chunk's tokens [B, S]"""
        states = self.auxiliary(hidden).unflatten(-1, (targets.shape[-1], -1))
        logits = F.linear(states, self.model.transformer.embed_tokens.weight).float()
        return F.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="none").view(targets.shape).mean(-1)
