"""Checkpoint folders in the official Hugging Face layout, written atomically; and reading them back."""

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from calm_train.files import make_folder, replace_file
from calm_train.models.autoencoder import Autoencoder, AutoencoderShape
from calm_train.models.backbone import BackboneShape
from calm_train.models.calm import Calm, CalmShape
from calm_train.models.heads import HeadShape
from calm_train.models.llama import Llama
from calm_train.vocabulary import CONFIG_FILE, RANKS_FILE, Vocabulary

WEIGHTS = "model.safetensors"

# What the official configurations say everywhere; loaders written for them may look for any of these.
COMMON = {
    "hidden_act": "silu",
    "initializer_range": 0.02,
    "mlp_bias": False,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-6,
    "torch_dtype": "float32",
    "transformers_version": "4.43.0",
}
LLAMA = {
    "attention_bias": False,
    "attention_dropout": 0.0,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "use_cache": True,
}


def special_ids(vocabulary: Vocabulary) -> dict[str, int]:
    return {
        "bos_token_id": vocabulary.bos,
        "eos_token_id": vocabulary.eos,
        "pad_token_id": vocabulary.pad,
        "vocab_size": vocabulary.size,
    }


def write_folder(
    folder: Path,
    config: dict,
    tensors: dict[str, Tensor],
    tokenizer: Path | None = None,
    generation: dict | None = None,
) -> None:
    make_folder(folder)
    values = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    replace_file(folder / WEIGHTS, lambda path: save_file(values, path, metadata={"format": "pt"}))
    _write_json(folder / "config.json", dict(sorted(config.items())))
    if generation is not None:
        _write_json(folder / "generation_config.json", generation)
    if tokenizer is not None:
        for name in (RANKS_FILE, CONFIG_FILE):
            replace_file(folder / name, partial(shutil.copyfile, tokenizer / name))


def _write_json(path: Path, value: dict) -> None:
    replace_file(path, lambda staged: staged.write_text(json.dumps(value, indent=2) + "\n"))


def official_tensors(model: nn.Module, drop: tuple[str, ...] = ()) -> dict[str, Tensor]:
    return {name: value for name, value in model.state_dict().items() if not name.startswith(drop)}


def read_config(folder: Path) -> dict:
    try:
        return json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise SystemExit(f"{folder} holds no checkpoint: {error}") from None


def read_weights(folder: Path) -> dict[str, Tensor]:
    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise SystemExit(f"{folder / WEIGHTS} cannot be read: {error}") from None


def file_fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def load_autoencoder(folder: Path) -> Autoencoder:
    model = Autoencoder(autoencoder_shape(read_config(folder)))
    model.load_state_dict(read_weights(folder))
    return model.eval()


def load_calm(folder: Path, autoencoder: Path) -> Calm:
    config = read_config(folder)
    head = HeadShape(
        config["model_type"], config["noise_size"], config["num_mlp_layers"], config.get("num_inference_steps", 0)
    )
    shape = CalmShape(backbone_shape(config), head)
    model = Calm(shape, Autoencoder(autoencoder_shape(read_config(autoencoder))))
    model.load_state_dict(read_weights(folder))
    return model.eval()


def load_llama(folder: Path) -> Llama:
    model = Llama(backbone_shape(read_config(folder)))
    model.load_state_dict(read_weights(folder))
    return model.eval()


def autoencoder_shape(config: dict) -> AutoencoderShape:
    return AutoencoderShape(**{name: config[name] for name in AutoencoderShape.__dataclass_fields__})


def backbone_shape(config: dict) -> BackboneShape:
    return BackboneShape(**{name: config[name] for name in BackboneShape.__dataclass_fields__})


@torch.no_grad()
def count_parameters(tensors: dict[str, Tensor]) -> int:
    return sum(t.numel() for t in tensors.values())
