"""The FLOPs formula against the paper's Table 1."""

import pytest

from calm_train.flops import backbone_forward, calm_training_flops, decoder_forward, embed_forward, head_forward
from calm_train.models.autoencoder import AutoencoderShape
from calm_train.models.backbone import BackboneShape

AUTOENCODER = AutoencoderShape(
    vocab_size=128257, patch_size=4, hidden_size=512, intermediate_size=1280, latent_size=128
)


def backbone(hidden: int, inner: int, layers: int = 16) -> BackboneShape:
    return BackboneShape(128257, hidden, inner, layers, num_attention_heads=16, num_key_value_heads=16)


@pytest.mark.parametrize(("hidden", "inner", "expected"), [(1024, 2752, 2.9e8), (1536, 4096, 4.6e8)])
def test_inference_flops_per_token(hidden: int, inner: int, expected: float):
    step = backbone_forward(backbone(hidden, inner), context=2048) + embed_forward(hidden, 4)
    step += head_forward(hidden, 64, 128, 4, samples=1) + decoder_forward(AUTOENCODER)
    assert step / 4 == pytest.approx(expected, rel=0.03)


def test_training_counts_forward_and_backward_and_every_sample():
    shape = backbone(1024, 2752)
    one, eight = (
        calm_training_flops(shape, AUTOENCODER, 64, 4, samples, 2048, chunks=1, auxiliary=False) for samples in (1, 8)
    )
    per_sample = head_forward(1024, 64, 128, 4, samples=2) - head_forward(1024, 64, 128, 4, samples=1)
    assert eight - one == 3 * 7 * per_sample
