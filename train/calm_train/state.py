"""state.pt: all that a training needs to go on exactly where it stopped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from calm_train.files import replace_file
from calm_train.memory import told_out_of_memory

# May differ between the run and its resumption: they change when and where it computes, not what.
FREE = {
    "minutes",
    "deadline",
    "device",
    "threads",
    "compile",
    "log_steps",
    "evaluate_minutes",
    "evaluate_steps",
    "checkpoint_minutes",
    "temperature",
    "num_candidates",
    "max_tokens",
}


# What weights and moments mean depends on these; a run that starts from another must agree with it.
MEANING = (
    *("tokenizer", "patch_size", "autoencoder"),
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
    *("head", "noise_size"),
)


@dataclass(frozen=True)
class Spent:
    """What went into a model: into its parts, or into the run that another starts from."""

    steps: int = 0
    flops: int = 0
    tokens: int = 0
    seconds: int = 0


def random_state() -> list[torch.Tensor]:
    """Of the CPU, then of each CUDA device."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]


def restore_random(states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0].cpu())
    if torch.cuda.is_available() and len(states) == 1 + torch.cuda.device_count():
        torch.cuda.set_rng_state_all([state.cpu() for state in states[1:]])


def write_state(folder: Path, state: dict[str, Any]) -> None:
    replace_file(folder / "state.pt", lambda path: torch.save(state, path))


def read_state(folder: Path, identity: dict[str, Any] | None, device: str) -> dict[str, Any] | None:
    """None where nothing was saved. Another configuration than the saved one, if one is given, ends the program
    with a sentence."""
    path = folder / "state.pt"
    if not path.exists():
        return None
    try:
        with told_out_of_memory():
            state = torch.load(path, weights_only=True, map_location=device)
    except Exception as error:
        raise SystemExit(f"{path} cannot be read ({type(error).__name__}); delete {folder} to start over") from None
    if identity is None:
        return state
    before = state.get("identity", {})
    refuse_other_text(folder, before.get("text", {}), identity.get("text", {}))
    for name in sorted((set(identity) | set(before)) - FREE - {"text"}):
        if before.get(name) != identity.get(name):
            raise SystemExit(
                f"{folder} was started with {name} = {before.get(name)}, now it is {identity.get(name)}: "
                "give the old value to go on, or delete the folder to start over"
            )
    return state


def refuse_other_text(folder: Path, before: dict[str, str], now: dict[str, str]) -> None:
    """Both map sources to fingerprints of their packed text. A state from before these were saved names none."""
    for source, fingerprint in now.items():
        if before.get(source, fingerprint) != fingerprint:
            raise SystemExit(
                f"{folder} was started on other text of the source {source}: pack what it had then to go on, or delete "
                "the folder to start over"
            )


def read_start(folder: Path, identity: dict[str, Any], device: str) -> tuple[dict[str, Any], Spent]:
    """State of the run that a new one starts from, and what it spent. A run that is not there, or that gives the
    weights another meaning, ends the program with a sentence."""
    state = read_state(folder, None, device)
    if state is None:
        raise SystemExit(f"start_from: {folder} holds no state.pt; name the folder of a run that was trained")
    for name in MEANING:
        before, now = state["identity"].get(name), identity.get(name)
        if before != now:
            raise SystemExit(f"start_from: {folder} was trained with {name} = {before}, now it is {now}")
    return state, Spent(**state["spent"])


def keep_until(metrics: Path, step: int) -> None:
    """Drops the rows that a killed run wrote after its last checkpoint, and half a last line."""
    if not metrics.exists():
        return
    lines = metrics.read_text().splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and _step(line) <= step]
    if kept != lines:
        replace_file(metrics, lambda path: path.write_text("".join(kept)))


def _step(line: str) -> int:
    return int(line.partition('"step": ')[2].partition(",")[0])
