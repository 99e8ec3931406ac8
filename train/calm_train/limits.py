"""What each key of a configuration may be. Everything else ends the program with one sentence before it starts."""

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Range:
    """From `least` to `most`; an open end is itself not allowed."""

    least: float
    most: float = math.inf
    open_below: bool = False
    open_above: bool = False

    def holds(self, value: float) -> bool:
        above = value > self.least if self.open_below else value >= self.least
        below = value < self.most if self.open_above else value <= self.most
        return math.isfinite(value) and above and below

    def __str__(self) -> str:
        below = f"above {self.least:g}" if self.open_below else f"{self.least:g} or more"
        if self.most == math.inf:
            return below
        if self.open_above:
            return f"{below} and below {self.most:g}"
        return f"{below} and at most {self.most:g}"


COUNT, AMOUNT, POSITIVE = Range(1), Range(0), Range(0, open_below=True)
SHARE, SHARE_BELOW_ONE = Range(0, 1), Range(0, 1, open_above=True)

# Keys of the same name mean the same in every section, but for those that a section's own line gives.
RANGES: dict[str, Range] = {
    # Every byte is a token, and three are special.
    "vocab_size": Range(259),
    "final_fraction": SHARE,
    "learning_rate": POSITIVE,
    "final_ratio": SHARE,
    "warmup_steps": COUNT,
    "constant_fraction": SHARE,
    "weight_decay": AMOUNT,
    "beta1": SHARE_BELOW_ONE,
    "beta2": SHARE_BELOW_ONE,
    "clip": POSITIVE,
    "ema": SHARE_BELOW_ONE,
    "steps": AMOUNT,
    "flops": AMOUNT,
    "minutes": POSITIVE,
    "rows": COUNT,
    "row_chunks": COUNT,
    "block_tokens": AMOUNT,
    "threads": COUNT,
    "seed": Range(0, 2**63, open_above=True),
    "log_steps": COUNT,
    "evaluate_minutes": AMOUNT,
    "evaluate_steps": AMOUNT,
    "checkpoint_minutes": AMOUNT,
    "hidden_size": COUNT,
    "intermediate_size": COUNT,
    "latent_size": COUNT,
    "num_encoder_layers": COUNT,
    "num_decoder_layers": COUNT,
    "kl_weight": AMOUNT,
    "kl_clamp": AMOUNT,
    "ae_dropout": SHARE_BELOW_ONE,
    "random_share": SHARE,
    "num_hidden_layers": COUNT,
    "num_attention_heads": COUNT,
    "num_key_value_heads": AMOUNT,
    "max_position_embeddings": Range(2),
    "dropout": SHARE_BELOW_ONE,
    "max_tokens": COUNT,
    "head_steps": AMOUNT,
    "num_mlp_layers": AMOUNT,
    "noise_size": COUNT,
    "num_samples": COUNT,
    "posterior_samples": AMOUNT,
    "largest_weight": Range(1),
    # The energy score is proper here only.
    "beta": Range(0, 2, open_below=True, open_above=True),
    "auxiliary_weight": AMOUNT,
    "token_weight": AMOUNT,
    "temperature": AMOUNT,
    "num_candidates": COUNT,
    "documents": COUNT,
    "positions": COUNT,
    "stories": AMOUNT,
    "opening_tokens": COUNT,
    "first": AMOUNT,
    # The pool algorithm draws at T = 1/n.
    "sample.temperature": Range(0, 1, open_below=True),
    "distill.temperature": POSITIVE,
}

# Steps of a draw: two times a midpoint step, in thousandths; a thousand noise levels, of which the first and the last
# are visited.
HEAD_STEPS = {"energy": (0, 0), "flow": (1, 500), "diffusion": (2, 1000)}
CHOICES = {
    "decay": ("linear", "cosine"),
    "head": tuple(HEAD_STEPS),
    "precision": ("auto", "bfloat16", "float32"),
}
PATTERNS = {
    "deadline": (r"|([01]?\d|2[0-3]):[0-5]\d", '"HH:MM", say "23:30"'),
    "device": (r"cpu|cuda(:\d+)?", '"cpu", "cuda" or "cuda:1" and so on'),
}

KINDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    bool: "true or false",
    list[str]: "a list of texts",
    dict[str, float]: "a table of numbers",
    dict[str, list[str]]: "a table of lists of texts",
}


def refuse(name: str, value: object, allowed: str) -> None:
    raise SystemExit(f"{name} = {shown(value)}: it must be {allowed}")


def shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def check_section(section_class: type, values: dict[str, Any], name: str) -> None:
    """Types, ranges and choices of the keys that a configuration gives in [name]."""
    hints = get_type_hints(section_class)
    known = {field.name for field in dataclasses.fields(section_class)}
    if unknown := set(values) - known:
        raise SystemExit(f"unknown key in [{name}]: {', '.join(sorted(unknown))}")
    for key, value in values.items():
        check_value(f"[{name}] {key}", value, hints[key], RANGES.get(f"{name}.{key}", RANGES.get(key)))
        if key in CHOICES and value not in CHOICES[key]:
            refuse(f"[{name}] {key}", value, f"one of {', '.join(CHOICES[key])}")
        if key in PATTERNS and not re.fullmatch(PATTERNS[key][0], value):
            refuse(f"[{name}] {key}", value, PATTERNS[key][1])


def check_value(name: str, value: object, hint: Any, limits: Range | None) -> None:
    if not _is(value, hint):
        refuse(name, value, f"{KINDS[hint]}{f', {limits}' if limits else ''}")
    if limits and isinstance(value, int | float) and not limits.holds(value):
        refuse(name, value, str(limits))


def _is(value: object, hint: Any) -> bool:
    """Whether a value from TOML is of the annotated type; a whole number is a number too, true is none."""
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_is(item, get_args(hint)[0]) for item in value)
    if get_origin(hint) is dict:
        return isinstance(value, dict) and all(_is(item, get_args(hint)[1]) for item in value.values())
    if isinstance(value, bool) and hint is not bool:
        return False
    return isinstance(value, int | float if hint is float else hint)
