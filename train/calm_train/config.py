"""One TOML file describes a run; `--section.key value` on the command line overrides it."""

import argparse
import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calm_train.sections import (
    AutoencoderSection,
    BaselineSection,
    CalmSection,
    CardSection,
    DataSection,
    OptimSection,
    SampleSection,
    TokenizerSection,
)


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
