"""The autoencoder: K tokens <-> one latent vector (paper section 2; calm.md 2.2 for the tensor names)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calm_train.models.layers import GatedMLP, RMSNorm, initialize


@dataclass(frozen=True)
class AutoencoderShape:
    vocab_size: int
    patch_size: int
    hidden_size: int
    intermediate_size: int
    latent_size: int
    num_encoder_layers: int = 2
    num_decoder_layers: int = 2


class Layer(nn.Module):
    def __init__(self, shape: AutoencoderShape):
        super().__init__()
        self.layernorm = RMSNorm(shape.hidden_size)
        self.mlp = GatedMLP(shape.hidden_size, shape.intermediate_size)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.layernorm(x))


class Encoder(nn.Module):
    """The first half of the layers works token by token, the second half on the squeezed chunk."""

    def __init__(self, shape: AutoencoderShape):
        super().__init__()
        h, k = shape.hidden_size, shape.patch_size
        self.split = shape.num_encoder_layers // 2
        self.embed_tokens = nn.Embedding(shape.vocab_size, h)
        self.encoder_layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_encoder_layers))
        self.squeeze_layer = nn.Linear(k * h, h)
        self.norm = RMSNorm(h)
        self.hidden_to_latent = nn.Linear(h, 2 * shape.latent_size)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """[..., K] ids -> mean, log_std, each [..., latent]"""
        x = self.embed_tokens(tokens)
        for layer in self.encoder_layers[: self.split]:
            x = layer(x)
        x = self.squeeze_layer(x.flatten(-2))
        for layer in self.encoder_layers[self.split :]:
            x = layer(x)
        mean, log_std = self.hidden_to_latent(self.norm(x)).float().chunk(2, dim=-1)
        return mean, log_std


class Decoder(nn.Module):
    def __init__(self, shape: AutoencoderShape):
        super().__init__()
        h, self.k = shape.hidden_size, shape.patch_size
        self.split = shape.num_decoder_layers // 2
        self.latent_to_hidden = nn.Linear(shape.latent_size, h)
        self.decoder_layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_decoder_layers))
        self.expand_layer = nn.Linear(h, self.k * h)
        self.norm = RMSNorm(h)

    def forward(self, latent: Tensor, embedding: Tensor) -> Tensor:
        """[..., latent], [V, h] -> logits [..., K, V]; the embedding is the encoder's (tied)."""
        x = self.latent_to_hidden(latent)
        for layer in self.decoder_layers[: self.split]:
            x = layer(x)
        x = self.expand_layer(x).unflatten(-1, (self.k, -1))
        for layer in self.decoder_layers[self.split :]:
            x = layer(x)
        return F.linear(self.norm(x), embedding)


class Autoencoder(nn.Module):
    def __init__(self, shape: AutoencoderShape):
        super().__init__()
        self.shape = shape
        self.encoder = Encoder(shape)
        self.decoder = Decoder(shape)
        initialize(self, embedding_std=shape.hidden_size**-0.5)

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(tokens)

    def decode(self, latent: Tensor) -> Tensor:
        return self.decoder(latent, self.encoder.embed_tokens.weight)


def autoencoder_loss(
    model: Autoencoder, tokens: Tensor, mask_id: int, dropout: float, kl_clamp: float, kl_weight: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """Reconstruction + clipped KL (paper 2.2) on chunks [B, K].

    DropToken hides input tokens and DropLatent is inverted dropout on the latent; both exist in training only
    and make the decoder robust to what the energy head will send it. `mask_id` must never occur in text (PAD):
    the published code hides behind id 0, an exclamation mark, which then decodes to a guess about the context.
    """
    hidden_tokens = tokens.masked_fill(torch.rand(tokens.shape, device=tokens.device) < dropout, mask_id)
    mean, log_std = model.encode(hidden_tokens)
    std = log_std.exp()
    latent = F.dropout(mean + std * torch.randn_like(std), dropout)
    logits = model.decode(latent).float()
    cross_entropy = F.cross_entropy(logits.flatten(0, 1), tokens.flatten()) * tokens.shape[-1]
    kl = clipped_kl(mean, log_std, kl_clamp)
    loss = cross_entropy + kl_weight * kl
    return loss, {"cross_entropy": cross_entropy.detach(), "kl": kl.detach(), "sigma": std.detach().mean()}


def clipped_kl(mean: Tensor, log_std: Tensor, floor: float) -> Tensor:
    """KL divergence of N(mean, std^2) from N(0, 1), summed over the last axis, averaged over the others (paper 2.2).

    The floor acts per sample and dimension, before averaging: below it no gradient pushes a dimension to collapse.
    """
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std)
    return kl.clamp(min=floor).sum(-1).mean()
