"""AdamW with weight decay where it belongs."""

import torch
from torch import nn

from calm_train.sections import OptimSection


def optimizer_for(model: nn.Module, section: OptimSection) -> torch.optim.AdamW:
    """Weight decay on matrices only: not on norms, biases and embeddings."""
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    parameters = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in parameters if p.ndim >= 2 and id(p) not in embeddings]
    kept = [p for p in parameters if p.ndim < 2 or id(p) in embeddings]
    groups = [
        {"params": decayed, "weight_decay": section.weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=section.learning_rate, betas=(section.beta1, section.beta2), fused=True)
