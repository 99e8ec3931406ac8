import json
from pathlib import Path

import pytest
import torch
from toy import CONFIG, call, stories

from calm_train import autoencoder as autoencoder_command
from calm_train import baseline, golden, pack, tokenizer
from calm_train import calm as calm_command
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


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trains everything for a few seconds each; the configuration is `toy.toml` beside the folder."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "stories.txt").write_text("\n<|endoftext|>\n".join(stories()))
    (folder / "more.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in stories()[::2]))
    config = folder / "toy.toml"
    config.write_text(CONFIG.format(folder=folder))
    for command in (tokenizer, pack, autoencoder_command, calm_command, baseline, golden):
        call(command, config)
    return folder / "run"


@pytest.fixture
def fresh_run(run: Path, tmp_path: Path) -> Path:
    """A run of its own that has everything but a trained CALM."""
    for part in ("tokenizer", "shards", "autoencoder"):
        (tmp_path / part).symlink_to(run / part)
    return tmp_path
