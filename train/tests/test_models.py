"""The networks: tensor names, causality, document borders, and the algebra that training relies on."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from calm_train.calm_training import CalmTraining
from calm_train.models.autoencoder import Autoencoder, autoencoder_loss, clipped_kl
from calm_train.models.backbone import document_mask
from calm_train.models.calm import Calm
from calm_train.models.energy_head import draw_noise
from calm_train.sections import CalmSection

CHUNKS = torch.randint(0, 64, (2, 6, 2), generator=torch.Generator().manual_seed(0))


def test_tensor_names_are_the_official_ones(calm: Calm):
    names = set(calm.state_dict())
    assert {
        "transformer.embed_tokens.weight",
        "transformer.layers.1.self_attn.o_proj.weight",
        "transformer.norm.weight",
        "embed_proj.3.bias",
        "mlp_generator.mlp_blocks.1.linears.4.weight",
        "mlp_generator.final_layer.linears.2.bias",
        "ae_model.encoder.hidden_to_latent.bias",
        "ae_model.decoder.decoder_layers.0.mlp.gate_proj.weight",
    } <= names
    assert not any("lm_head" in name or "generative_head" in name for name in names)
    assert len(names) == 2 * 9 + 2 + 6 + 8 + 2 * 10 + 6 + 27


def test_a_chunk_sees_nothing_behind_it(calm: Calm):
    changed = CHUNKS.clone()
    changed[:, 4] = 0
    before, after = calm.hidden(CHUNKS), calm.hidden(changed)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_a_packed_document_is_computed_as_if_it_stood_alone(calm: Calm):
    documents = torch.tensor([[0, 0, 1, 1, 1, 1], [5, 5, 5, 5, 5, 5]])
    packed = calm.hidden(CHUNKS, document_mask(documents))
    alone = calm.hidden(CHUNKS[:1, 2:])
    torch.testing.assert_close(packed[:1, 2:], alone, rtol=1e-4, atol=1e-5)


def test_head_blocks_equal_the_concatenated_form(calm: Calm):
    block = calm.mlp_generator.mlp_blocks[0]
    x, condition = torch.randn(3, 5, 32), torch.randn(5, 32)
    joined = torch.cat([block.in_ln(x), condition.expand_as(x)], dim=-1)
    gate, up = block.linears(joined).chunk(2, dim=-1)
    expected = x + block.down_proj(torch.nn.functional.silu(gate) * up)
    torch.testing.assert_close(block(x, condition), expected)


def test_noise_is_uniform_around_zero():
    noise = draw_noise(10_000)
    assert -0.5 <= noise.min() < -0.49
    assert 0.49 < noise.max() < 0.5


def test_autoencoder_learns_to_copy(autoencoder: Autoencoder):
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(autoencoder.parameters(), lr=1e-2)
    for _ in range(200):
        tokens = torch.randint(0, 63, (64, 2))
        loss, _ = autoencoder_loss(autoencoder, tokens, mask_id=63, dropout=0.0, kl_clamp=0.5, kl_weight=1e-3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tokens = torch.randint(0, 63, (500, 2))
    mean, _ = autoencoder.encode(tokens)
    assert (autoencoder.decode(mean).argmax(-1) == tokens).float().mean() > 0.98


def test_loss_ignores_chunks_that_would_predict_another_document(calm: Calm):
    section = CalmSection(hidden_size=32, noise_size=8, dropout=0.0)
    training = CalmTraining(calm, section)
    documents = torch.tensor([[0, 0, 0, 1, 1, 1], [2, 2, 2, 2, 2, 3]])

    def loss(chunks: torch.Tensor) -> float:
        torch.manual_seed(0)
        return training(chunks, documents)[0].item()

    first_of_document, inside = CHUNKS.clone(), CHUNKS.clone()
    # The last chunk of row 1 is the first of document 3: nothing predicts it and nothing follows it.
    first_of_document[1, 5] = 7
    inside[1, 4] = 7
    assert loss(first_of_document) == loss(CHUNKS)
    assert loss(inside) != loss(CHUNKS)


def test_only_the_model_itself_is_trained(calm: Calm):
    training = CalmTraining(calm, CalmSection(hidden_size=32, noise_size=8))
    training(CHUNKS, torch.zeros(2, 6, dtype=torch.long))[0].backward()
    assert all(p.grad is None for p in calm.ae_model.parameters())
    assert all(p.grad is not None for n, p in training.named_parameters() if not n.startswith("model.ae_model"))


def test_kl_without_a_floor_is_that_of_the_normal_distributions():
    mean, log_std = torch.randn(5, 7), 0.3 * torch.randn(5, 7)
    each = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(clipped_kl(mean, log_std, 0.0), each.sum(-1).mean())


def test_kl_below_its_floor_counts_as_the_floor_and_has_no_gradient():
    mean = torch.tensor([[0.1, 2.0]], requires_grad=True)
    loss = clipped_kl(mean, torch.zeros(1, 2), 0.5)
    loss.backward()
    # 0.1^2 / 2 lies below the floor of 0.5, 2^2 / 2 above it.
    assert loss.item() == pytest.approx(0.5 + 2.0)
    assert mean.grad is not None
    assert mean.grad.tolist() == [[0.0, 2.0]]
