"""One TOML file describes a run; `--section.key value` on the command line overrides it."""

import argparse
import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TokenizerSection:
    vocab_size: int = 4096
    files: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DataSection:
    """`sources` maps a name to its files; `mix` and `final_mix` map names to their share of the rows."""

    sources: dict[str, list[str]] = field(default_factory=dict)
    mix: dict[str, float] = field(default_factory=dict)
    final_mix: dict[str, float] = field(default_factory=dict)
    final_fraction: float = 0.25
    held_out: list[str] = field(default_factory=list)

    def mix_at(self, progress: float) -> dict[str, float]:
        """The last part of the training may see a mix of its own: what the model should sound like."""
        final = progress >= 1 - self.final_fraction
        return self.final_mix if final and self.final_mix else self.mix


@dataclass(frozen=True)
class OptimSection:
    """What every training loop shares. Times are wall clock; the schedule is planned from measured steps."""

    learning_rate: float = 1e-3
    final_ratio: float = 0.02
    warmup_steps: int = 200
    constant_fraction: float = 0.4
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    ema: float = 0.998
    minutes: float = 10.0
    deadline: str = ""
    rows: int = 4
    row_chunks: int = 128
    threads: int = 1
    seed: int = 1
    compile: bool = True
    log_steps: int = 100
    evaluate_minutes: float = 5.0
    checkpoint_minutes: float = 10.0


@dataclass(frozen=True)
class AutoencoderSection(OptimSection):
    hidden_size: int = 128
    intermediate_size: int = 384
    latent_size: int = 32
    num_encoder_layers: int = 2
    num_decoder_layers: int = 2
    kl_weight: float = 6e-3
    kl_clamp: float = 0.5
    ae_dropout: float = 0.15
    random_share: float = 0.1


@dataclass(frozen=True)
class CalmSection(OptimSection):
    hidden_size: int = 256
    intermediate_size: int = 704
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    num_mlp_layers: int = 2
    noise_size: int = 64
    max_position_embeddings: int = 512
    num_samples: int = 8
    beta: float = 1.0
    dropout: float = 0.05
    auxiliary_weight: float = 1.0
    temperature: float = 0.5
    max_new_tokens: int = 512


@dataclass(frozen=True)
class BaselineSection(OptimSection):
    hidden_size: int = 256
    intermediate_size: int = 704
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    num_key_value_heads: int = 4
    max_position_embeddings: int = 1024
    dropout: float = 0.05
    temperature: float = 0.7
    max_new_tokens: int = 512


@dataclass(frozen=True)
class SampleSection:
    prompt: str = ""
    stories: int = 8
    temperature: float = 0.5
    num_candidates: int = 200
    max_tokens: int = 300
    seed: int = 1


@dataclass(frozen=True)
class CardSection:
    """What no program can measure: where the data comes from and where the model is weak."""

    title: str = "CALM"
    data: list[str] = field(default_factory=list)
    weaknesses: list[str] = field(default_factory=list)
    documents: int = 400


@dataclass(frozen=True)
class Config:
    corpora: Path
    run: Path
    patch_size: int = 2
    tokenizer: TokenizerSection = field(default_factory=TokenizerSection)
    data: DataSection = field(default_factory=DataSection)
    autoencoder: AutoencoderSection = field(default_factory=AutoencoderSection)
    calm: CalmSection = field(default_factory=CalmSection)
    baseline: BaselineSection = field(default_factory=BaselineSection)
    sample: SampleSection = field(default_factory=SampleSection)
    card: CardSection = field(default_factory=CardSection)


SECTIONS = {
    "tokenizer": TokenizerSection,
    "data": DataSection,
    "autoencoder": AutoencoderSection,
    "calm": CalmSection,
    "baseline": BaselineSection,
    "sample": SampleSection,
    "card": CardSection,
}


def parse_command_line(own_section: str = "", argv: list[str] | None = None) -> Config:
    """Reads `--config file.toml` and overrides. A key without a section belongs to the command's own."""
    parser = argparse.ArgumentParser(epilog="Overrides: --key value, --section.key value (JSON-like values)")
    parser.add_argument("--config", type=Path, required=True)
    arguments, rest = parser.parse_known_args(argv)
    raw = tomllib.loads(arguments.config.read_text())
    if len(rest) % 2:
        parser.error(f"overrides come in pairs '--key value', got {rest}")
    for key, text in zip(rest[::2], rest[1::2], strict=True):
        if not key.startswith("--"):
            parser.error(f"expected '--key', got {key!r}")
        name = key[2:].replace("-", "_")
        section, _, leaf = name.rpartition(".")
        if not section and name not in ("corpora", "run", "patch_size"):
            section = own_section
        target = raw.setdefault(section, {}) if section else raw
        target[leaf] = _value(text)
    return build_config(raw)


def build_config(raw: dict[str, Any]) -> Config:
    """A section inherits what `[training]` says for all of them; unknown keys are an error."""
    shared = raw.get("training", {})
    sections = {}
    for name, section_class in SECTIONS.items():
        values = raw.get(name, {})
        if issubclass(section_class, OptimSection):
            values = shared | values
        known = {f.name for f in dataclasses.fields(section_class)}
        if unknown := set(values) - known:
            raise SystemExit(f"unknown key in [{name}]: {', '.join(sorted(unknown))}")
        sections[name] = section_class(**values)
    return Config(corpora=Path(raw["corpora"]), run=Path(raw["run"]), patch_size=raw.get("patch_size", 2), **sections)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
