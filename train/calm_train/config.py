"""One TOML file describes a run; `--section.key value` on the command line overrides it."""

import argparse
import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calm_train.limits import COUNT, check_section, check_value, refuse
from calm_train.section_checks import check_together
from calm_train.sections import (
    AutoencoderSection,
    BaselineSection,
    CalmSection,
    CardSection,
    DataSection,
    DistillSection,
    EvaluateSection,
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
    evaluate: EvaluateSection = field(default_factory=EvaluateSection)
    sample: SampleSection = field(default_factory=SampleSection)
    card: CardSection = field(default_factory=CardSection)
    distill: DistillSection = field(default_factory=DistillSection)


SECTIONS = {
    "tokenizer": TokenizerSection,
    "data": DataSection,
    "autoencoder": AutoencoderSection,
    "calm": CalmSection,
    "baseline": BaselineSection,
    "evaluate": EvaluateSection,
    "sample": SampleSection,
    "card": CardSection,
    "distill": DistillSection,
}


def parse_command_line(own_section: str = "", argv: list[str] | None = None) -> Config:
    """Reads `--config file.toml` and overrides. A key without a section belongs to the command's own."""
    parser = argparse.ArgumentParser(epilog="Overrides: --key value, --section.key value (JSON-like values)")
    parser.add_argument("--config", type=Path, required=True)
    arguments, rest = parser.parse_known_args(argv)
    raw = read_toml(arguments.config)
    if len(rest) % 2:
        parser.error(f"overrides come in pairs '--key value', got {rest}")
    for key, text in zip(rest[::2], rest[1::2], strict=True):
        if not key.startswith("--"):
            parser.error(f"expected '--key', got {key!r}")
        override(raw, key[2:], _value(text), own_section)
    return build_config(raw)


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SystemExit(f"cannot read the configuration {path}: {error}") from None


def override(raw: dict[str, Any], key: str, value: Any, own_section: str = "") -> None:
    """Sets `section.key`, or `key` of the command's own section, in what a TOML file said."""
    name = key.replace("-", "_")
    section, _, leaf = name.rpartition(".")
    if not section and name not in ("corpora", "run", "patch_size"):
        section = own_section
    if section:
        raw[section] = _table(raw, section) | {leaf: value}
    else:
        raw[leaf] = value


def build_config(raw: dict[str, Any]) -> Config:
    """A section inherits what `[training]` says for all of them; unknown keys and impossible values are an error."""
    known_names = {*SECTIONS, "training", "compare", "corpora", "run", "patch_size"}
    if unknown := set(raw) - known_names:
        raise SystemExit(f"unknown section or key: {', '.join(sorted(unknown))}")
    for name in ("corpora", "run"):
        if name not in raw:
            raise SystemExit(f"the configuration lacks {name}")
        check_value(name, raw[name], str, None)
    patch_size = raw.get("patch_size", 2)
    check_value("patch_size", patch_size, int, COUNT)
    sections = {name: _section(raw, name, patch_size) for name in SECTIONS}
    return Config(corpora=Path(raw["corpora"]), run=Path(raw["run"]), patch_size=patch_size, **sections)


def _section(raw: dict[str, Any], name: str, patch_size: int) -> Any:
    section_class = SECTIONS[name]
    values = _table(raw, name)
    if issubclass(section_class, OptimSection):
        values = _table(raw, "training") | values
    check_section(section_class, values, name)
    section = section_class(**values)
    chunk = 1 if name == "baseline" else patch_size
    check_together(section, name, chunk)
    if isinstance(section, OptimSection) and section.block_tokens:
        return dataclasses.replace(section, row_chunks=section.block_tokens // chunk)
    return section


def _table(raw: dict[str, Any], name: str) -> dict[str, Any]:
    values = raw.get(name, {})
    if not isinstance(values, dict):
        refuse(name, values, f"a section: [{name}] and its keys below")
    return values


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
