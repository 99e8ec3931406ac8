"""What the training of a CALM minimizes: the loss of its head plus an auxiliary cross-entropy."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_train.energy import energy_loss, expected_distance, sampled_distance
from calm_train.models.backbone import document_mask
from calm_train.models.calm import Calm
from calm_train.models.diffusion_head import DiffusionHead
from calm_train.models.energy_head import EnergyHead
from calm_train.models.flow_head import FlowHead
from calm_train.sections import CalmSection


class CalmTraining(nn.Module):
    """The model plus what only training needs: linear maps that predict the next chunk's tokens directly.

    Their cross-entropy gives the backbone a gradient without sampling noise; it is worth more than any other
    change that was tried at this scale. They are not part of the checkpoint.
    """

    def __init__(self, model: Calm, section: CalmSection):
        super().__init__()
        self.model, self.section = model, section
        self.auxiliary = auxiliary_map(model, section)

    def forward(self, chunks: Tensor, documents: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """chunks [B, S+1, K], documents [B, S+1] -> loss and figures; chunk i predicts chunk i + 1."""
        section, model = self.section, self.model
        hidden = model.hidden(chunks[:, :-1], document_mask(documents[:, :-1]), dropout=section.dropout)
        targets = chunks[:, 1:]
        weight = chunk_weights(documents)
        with torch.no_grad():
            mean, log_std = model.ae_model.encode(targets)
        head = (head_loss(model, hidden, mean, log_std, section) * weight).sum()
        auxiliary = (self._cross_entropy(hidden, targets) * weight).sum()
        loss = head + section.auxiliary_weight * auxiliary
        return loss, {section.head: head.detach(), "auxiliary": auxiliary.detach()}

    def _cross_entropy(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """hidden [B, S, h], targets [B, S, K] -> mean over the chunk's tokens [B, S]"""
        states = token_states(self.auxiliary, hidden)
        logits = F.linear(states, self.model.transformer.embed_tokens.weight).float()
        return F.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="none").view(targets.shape).mean(-1)


def auxiliary_map(model: Calm, section: CalmSection) -> nn.Linear:
    """Hidden state [h] -> K * h: one state for each token of the next chunk, read by the tied embedding."""
    h = section.hidden_size
    layer = nn.Linear(h, model.ae_model.shape.patch_size * h, bias=False)
    nn.init.normal_(layer.weight, std=0.2 / h**0.5)
    return layer


def token_states(auxiliary: nn.Linear, hidden: Tensor) -> Tensor:
    """hidden [..., h] -> what the auxiliary map makes of it for each token of the next chunk [..., K, h]"""
    return auxiliary(hidden).unflatten(-1, (-1, hidden.shape[-1]))


def chunk_weights(documents: Tensor) -> Tensor:
    """Document numbers [B, S+1] -> what each predicted chunk counts [B, S], 1 in all; none predicts the start of
    another document."""
    weight = (documents[:, 1:] == documents[:, :-1]).float()
    return weight / weight.sum()


def head_loss(model: Calm, hidden: Tensor, mean: Tensor, log_std: Tensor, section: CalmSection) -> Tensor:
    """Loss of the head against the autoencoder's posterior: hidden [..., h], mean, log_std [..., latent] -> [...]

    `num_samples` is N for the energy head and the number of (target, noise, time) triples for the other two.
    """
    head, shape = model.head, hidden.shape[:-1]
    if isinstance(head, EnergyHead):
        samples = head(hidden, head.draw_noise(section.num_samples, *shape, device=hidden.device))
        if section.posterior_samples:
            targets = draw_posterior(mean, log_std, section.posterior_samples)
            distance = sampled_distance(samples, targets, section.beta)
        else:
            distance = expected_distance(samples, mean, log_std, section.beta)
        return energy_loss(samples, distance, section.beta)
    targets = draw_posterior(mean, log_std, section.num_samples)
    if isinstance(head, DiffusionHead):
        return head.loss(hidden, targets, section.largest_weight)
    assert isinstance(head, FlowHead)
    return head.loss(hidden, targets)


def draw_posterior(mean: Tensor, log_std: Tensor, count: int) -> Tensor:
    """[..., latent] -> [count, ..., latent]"""
    return mean + log_std.exp() * torch.randn(count, *mean.shape, device=mean.device)
