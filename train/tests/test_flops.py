"""The FLOPs formula against the paper's Table 1."""

import pytest

from calm_train.flops import (
    backbone_forward,
    calm_training_flops,
    decoder_forward,
    embed_forward,
    encoder_forward,
    head_sampling_forward,
    head_training_forward,
    law_training_flops,
    token_tuning_flops,
    writing_flops,
)
from calm_train.models.autoencoder import AutoencoderShape
from calm_train.models.backbone import BackboneShape
from calm_train.models.heads import HeadShape

AUTOENCODER = AutoencoderShape(
    vocab_size=128257, patch_size=4, hidden_size=512, intermediate_size=1280, latent_size=128
)
HEAD = HeadShape("energy", noise_size=64, num_mlp_layers=4)


def backbone(hidden: int, inner: int, layers: int = 16) -> BackboneShape:
    return BackboneShape(128257, hidden, inner, layers, num_attention_heads=16, num_key_value_heads=16)


@pytest.mark.parametrize(("hidden", "inner", "expected"), [(1024, 2752, 2.9e8), (1536, 4096, 4.6e8)])
def test_inference_flops_per_token(hidden: int, inner: int, expected: float):
    step = backbone_forward(backbone(hidden, inner), context=2048) + embed_forward(hidden, 4)
    step += head_sampling_forward(HEAD, hidden, 128, samples=1) + decoder_forward(AUTOENCODER)
    assert step / 4 == pytest.approx(expected, rel=0.03)


def test_training_counts_forward_and_backward_and_every_sample():
    shape = backbone(1024, 2752)
    one, eight = (
        calm_training_flops(shape, AUTOENCODER, HEAD, samples, 2048, chunks=1, auxiliary=False) for samples in (1, 8)
    )
    per_sample = head_training_forward(HEAD, 1024, 128, 2) - head_training_forward(HEAD, 1024, 128, 1)
    assert eight - one == 3 * 7 * per_sample


def test_tuning_pays_for_every_decoded_sample_and_every_draw_from_the_law():
    shape = backbone(1024, 2752)

    def flops(samples: int, branches: tuple[int, ...]) -> int:
        return token_tuning_flops(shape, AUTOENCODER, HEAD, samples, 2048, branches, chunks=1)

    drawn = head_training_forward(HEAD, 1024, 128, 2) - head_training_forward(HEAD, 1024, 128, 1)
    assert flops(3, (1,)) - flops(2, (1,)) == 3 * (drawn + decoder_forward(AUTOENCODER))
    # Positions 2, 3 and 4 of twice as many prefixes, each read by the output matrix and by two linear maps.
    prefix = 3 * 2 * 1024 * 128257 + 2 * 1024**2 * (3 + 4 + 5)
    assert flops(2, (2,)) - flops(2, (1,)) == prefix + encoder_forward(AUTOENCODER)


def test_a_backbone_that_is_tuned_too_pays_for_its_backward_pass():
    shape = backbone(1024, 2752)
    frozen, tuned = (
        token_tuning_flops(shape, AUTOENCODER, HEAD, 2, 2048, (2,), chunks=1, tune_backbone=tune)
        for tune in (False, True)
    )
    assert tuned - frozen == 2 * (backbone_forward(shape, 2048) + embed_forward(1024, 4))


def test_writing_pays_for_every_token_and_for_all_that_stands_before_it():
    shape = backbone(1024, 2752)
    steps = [backbone_forward(shape, context) + 2 * 1024 * 128257 for context in (1, 2, 3)]
    assert writing_flops(shape, [1, 3]) == steps[0] + sum(steps)


def test_training_by_the_law_pays_for_the_backbone_and_for_every_token_of_the_chunk():
    shape = backbone(1024, 2752)
    # The output matrix and a map of the hidden state for each token, and what tokens 2, 3 and 4 see of earlier ones.
    law = 2 * (4 * 1024 * 128257 + 4 * 1024**2 + 1024**2 * (3 + 4 + 5))
    assert law_training_flops(shape, 4, 2048, chunks=10) == 30 * (
        backbone_forward(shape, 2048) + embed_forward(1024, 4) + law
    )


@pytest.mark.parametrize(("kind", "evaluations"), [("flow", 20), ("diffusion", 100)])
def test_a_draw_of_the_other_heads_pays_for_every_evaluation(kind: str, evaluations: int):
    head, h = HeadShape(kind, noise_size=0, num_mlp_layers=4), 1024
    once, twice = (head_sampling_forward(head, h, 128, samples) for samples in (1, 2))
    outputs = 128 if kind == "flow" else 256
    # 8 h^2 multiply-adds in the four blocks, the two projections of the latent; the modulation is shared.
    assert twice - once == 2 * evaluations * (8 * h * h + 128 * h + outputs * h)
    assert once > twice - once
