import pytest
import torch

from calm_train.models.autoencoder import Autoencoder, AutoencoderShape
from calm_train.models.backbone import BackboneShape
from calm_train.models.calm import Calm, CalmShape
from calm_train.models.heads import HeadShape

torch.set_num_threads(1)


@pytest.fixture
def autoencoder() -> Autoencoder:
    torch.manual_seed(0)
    shape = AutoencoderShape(vocab_size=64, patch_size=2, hidden_size=16, intermediate_size=32, latent_size=8)
    return Autoencoder(shape).eval()


@pytest.fixture
def calm(autoencoder: Autoencoder) -> Calm:
    torch.manual_seed(1)
    backbone = BackboneShape(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    model = Calm(CalmShape(backbone, HeadShape("energy", noise_size=8, num_mlp_layers=2)), autoencoder).eval()
    # A head whose last layer is still zero would make every comparison trivially equal.
    torch.nn.init.normal_(model.mlp_generator.final_layer.output.weight, std=0.3)
    return model
