from pathlib import Path

import pytest

from calm_train.config import build_config, parse_command_line

CONFIGS = Path(__file__).parent.parent / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda p: p.name)
def test_shipped_configurations_load(path: Path):
    config = parse_command_line("calm", ["--config", str(path)])
    assert set(config.data.mix) | set(config.data.final_mix) <= {*config.data.sources, config.data.written}
    assert set(config.data.held_out) <= set(config.data.sources)
    assert config.calm.hidden_size % config.calm.num_attention_heads == 0


def test_command_line_overrides_the_file():
    path = str(CONFIGS / "stories-k2.toml")
    overrides = ["--minutes", "3", "--autoencoder.latent-size", "16", "--run", "elsewhere"]
    config = parse_command_line("calm", ["--config", path, *overrides])
    assert (config.calm.minutes, config.autoencoder.latent_size, config.run) == (3, 16, Path("elsewhere"))


def test_training_section_applies_to_all_trainers_and_unknown_keys_are_refused():
    paths = {"corpora": ".", "run": "."}
    config = build_config(paths | {"training": {"threads": 3}, "calm": {"threads": 5}})
    assert (config.autoencoder.threads, config.calm.threads) == (3, 5)
    with pytest.raises(SystemExit, match=r"unknown key in \[calm\]: hiden_size"):
        build_config(paths | {"calm": {"hiden_size": 3}})
    with pytest.raises(SystemExit, match="unknown section or key: autoencder"):
        build_config(paths | {"autoencder": {}})


def test_final_mix_takes_over_at_the_end():
    data = build_config(
        {"corpora": ".", "run": ".", "data": {"mix": {"a": 1.0}, "final_mix": {"b": 1.0}, "final_fraction": 0.25}}
    ).data
    assert data.mix_at(0.7) == {"a": 1.0}
    assert data.mix_at(0.8) == {"b": 1.0}
