"""Training FLOPs: two per multiply-add of every matrix product, backward = twice forward, nothing else.

Norms, activations and the optimizer are left out (below one percent at these widths), as in the paper's Table 1.
"""

from calm_train.models.autoencoder import AutoencoderShape
from calm_train.models.backbone import BackboneShape
from calm_train.models.denoiser import TIME_FREQUENCIES
from calm_train.models.heads import HeadShape


def encoder_forward(shape: AutoencoderShape) -> int:
    """FLOPs to encode one chunk."""
    h, k, half = shape.hidden_size, shape.patch_size, shape.num_encoder_layers // 2
    mlp = 3 * h * shape.intermediate_size
    layers = mlp * (half * k + shape.num_encoder_layers - half)
    return 2 * (layers + k * h * h + 2 * h * shape.latent_size)


def decoder_forward(shape: AutoencoderShape) -> int:
    """FLOPs to decode one latent, vocabulary projection included."""
    h, k, half = shape.hidden_size, shape.patch_size, shape.num_decoder_layers // 2
    mlp = 3 * h * shape.intermediate_size
    layers = mlp * (half + k * (shape.num_decoder_layers - half))
    return 2 * (shape.latent_size * h + layers + k * h * h + k * h * shape.vocab_size)


def backbone_forward(shape: BackboneShape, context: int) -> int:
    """FLOPs for one position that attends to `context` positions (the full square is computed in training)."""
    h = shape.hidden_size
    kv = shape.num_key_value_heads * shape.head_dim
    layer = 2 * h * h + 2 * h * kv + 3 * h * shape.intermediate_size + 2 * context * h
    return 2 * shape.num_hidden_layers * layer


def vocabulary_forward(shape: BackboneShape) -> int:
    """FLOPs of a token model's output matrix for one position."""
    return 2 * shape.hidden_size * shape.vocab_size


def correction_forward(h: int, index: int) -> int:
    """FLOPs of what the law of a chunk adds for its token at `index`, after `index` tokens that it sees."""
    return 2 * ((index + 1) * h * h + h * h)


def chunk_law_forward(shape: BackboneShape, patch_size: int) -> int:
    """FLOPs of the law of one chunk along one path through it, auxiliary map included."""
    h, k = shape.hidden_size, patch_size
    corrections = sum(correction_forward(h, index) for index in range(1, k))
    return 2 * k * h * h + k * vocabulary_forward(shape) + corrections


def embed_forward(h: int, patch_size: int) -> int:
    """FLOPs of the compression MLP for one chunk."""
    return 2 * (patch_size * h * 2 * h + 2 * h * h)


def energy_forward(h: int, noise: int, latent: int, blocks: int, samples: int) -> int:
    """FLOPs of the energy head for one chunk; what only sees the hidden state is counted once."""
    once = h * h + blocks * h * h
    each = noise * h + blocks * (h * h + h * h + 2 * h * h + h * h) + h * h + h * latent
    return 2 * (once + samples * each)


def denoiser_forward(h: int, latent: int, outputs: int, blocks: int, times: int, samples: int) -> int:
    """FLOPs of one evaluation of the flow or diffusion network for one chunk, `times` of them with a time of their
    own: those share the modulation. The embedding of the hidden state is counted once a chunk by the caller."""
    modulation = 2 * TIME_FREQUENCIES * h + h * h + blocks * 3 * h * h + 2 * h * h
    each = latent * h + blocks * 2 * h * h + h * outputs
    return 2 * (times * modulation + samples * each)


def head_training_forward(shape: HeadShape, h: int, latent: int, samples: int) -> int:
    """FLOPs of the forward pass that one chunk's loss takes. Every flow or diffusion sample has its own time."""
    if shape.kind == "energy":
        return energy_forward(h, shape.noise_size, latent, shape.num_mlp_layers, samples)
    outputs = latent * (2 if shape.kind == "diffusion" else 1)
    return 2 * h * h + denoiser_forward(h, latent, outputs, shape.num_mlp_layers, samples, samples)


def head_sampling_forward(shape: HeadShape, h: int, latent: int, samples: int) -> int:
    """FLOPs to draw `samples` latents of one chunk, all steps included."""
    if shape.kind == "energy":
        return energy_forward(h, shape.noise_size, latent, shape.num_mlp_layers, samples)
    outputs = latent * (2 if shape.kind == "diffusion" else 1)
    return 2 * h * h + shape.evaluations * denoiser_forward(h, latent, outputs, shape.num_mlp_layers, 1, samples)


def autoencoder_training_flops(shape: AutoencoderShape, chunks: int) -> int:
    return 3 * chunks * (encoder_forward(shape) + decoder_forward(shape))


def calm_training_flops(
    backbone: BackboneShape,
    autoencoder: AutoencoderShape,
    head: HeadShape,
    samples: int,
    row_chunks: int,
    chunks: int,
    auxiliary: bool,
) -> int:
    """FLOPs of the training of backbone and head: frozen encoder forward only, all head samples, auxiliary loss."""
    h, k = backbone.hidden_size, autoencoder.patch_size
    learned = backbone_forward(backbone, row_chunks) + embed_forward(h, k)
    learned += head_training_forward(head, h, autoencoder.latent_size, samples)
    if auxiliary:
        learned += 2 * (k * h * h + k * h * backbone.vocab_size)
    return chunks * (3 * learned + encoder_forward(autoencoder))


def token_tuning_flops(
    backbone: BackboneShape,
    autoencoder: AutoencoderShape,
    head: HeadShape,
    samples: int,
    row_chunks: int,
    branches: tuple[int, ...],
    chunks: int,
    tune_backbone: bool = False,
) -> int:
    """FLOPs of tuning head and decoder, on a frozen backbone or one that learns too: the chunk's law learned and drawn
    from, its draws and one chunk of the text encoded, all head samples drawn and decoded, and the decoder's own
    reconstruction. What gradients pass through counts as if they reached every weight of it."""
    h, k = backbone.hidden_size, autoencoder.patch_size
    context = backbone_forward(backbone, row_chunks) + embed_forward(h, k)
    frozen, learned = (0, context) if tune_backbone else (context, 0)
    learned += head_training_forward(head, h, autoencoder.latent_size, samples)
    learned += (samples + 1) * decoder_forward(autoencoder) + chunk_law_forward(backbone, k)
    prefixes = branches[0]
    for i in range(1, k):
        frozen += prefixes * (correction_forward(h, i) + vocabulary_forward(backbone))
        prefixes *= branches[i] if i < len(branches) else 1
    return chunks * (3 * learned + frozen + (prefixes + 1) * encoder_forward(autoencoder))


def law_training_flops(backbone: BackboneShape, patch_size: int, row_chunks: int, chunks: int) -> int:
    """FLOPs of training the backbone by the law of the next chunk, without head and autoencoder."""
    forward = backbone_forward(backbone, row_chunks) + embed_forward(backbone.hidden_size, patch_size)
    return 3 * chunks * (forward + chunk_law_forward(backbone, patch_size))


def llama_training_flops(backbone: BackboneShape, row_tokens: int, tokens: int) -> int:
    return 3 * tokens * (backbone_forward(backbone, row_tokens) + vocabulary_forward(backbone))


def writing_flops(backbone: BackboneShape, lengths: list[int]) -> int:
    """FLOPs of a token model that writes documents of these lengths, token by token behind what is there."""
    each = backbone_forward(backbone, 0) + vocabulary_forward(backbone)
    seen = backbone_forward(backbone, 1) - backbone_forward(backbone, 0)
    return sum(length * each + length * (length + 1) // 2 * seen for length in lengths)
