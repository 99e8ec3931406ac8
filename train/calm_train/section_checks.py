"""What keys of a configuration must be together: no key alone is wrong."""

from typing import Any

from calm_train.limits import HEAD_STEPS, refuse
from calm_train.sections import BackboneSection, CalmSection, DataSection, EvaluateSection, OptimSection


def check_together(section: Any, name: str, patch_size: int) -> None:
    """Ends the program with one sentence where keys of one section contradict each other or `patch_size`."""
    if isinstance(section, OptimSection | EvaluateSection) and section.block_tokens % patch_size:
        raise SystemExit(
            f"[{name}] block_tokens = {section.block_tokens} is no multiple of patch_size = {patch_size}; "
            "a row holds whole chunks"
        )
    if isinstance(section, BackboneSection):
        _check_attention(section, name)
    if isinstance(section, CalmSection):
        check_head(section.head, section.head_steps)
        if section.head == "energy" and section.num_samples < 2:
            refuse(
                f"[{name}] num_samples", section.num_samples, "2 or more: the energy score compares samples in pairs"
            )
        if section.backbone_only and section.token_weight:
            raise SystemExit(
                f"[{name}] backbone_only = true trains no head, and token_weight = {section.token_weight} tunes it; "
                "give each a run of its own"
            )
        if section.tune_backbone and not section.token_weight:
            raise SystemExit(
                f"[{name}] tune_backbone = true goes with token_weight, which is 0: without it all but the "
                "autoencoder learns anyway"
            )
    if isinstance(section, DataSection):
        _check_data(section)


def check_head(head: str, steps: int) -> None:
    """`steps` = 0 stands for as many as published."""
    if head not in HEAD_STEPS:
        raise SystemExit(f'head = "{head}": it must be one of {", ".join(HEAD_STEPS)}')
    least, most = HEAD_STEPS[head]
    if steps and not least <= steps <= most:
        allowed = f"from {least} to {most}" if most else "0, since it takes none"
        raise SystemExit(f"head_steps = {steps}: for the {head} head it must be {allowed}")


def _check_attention(section: BackboneSection, name: str) -> None:
    heads, shared = section.num_attention_heads, section.num_key_value_heads
    if section.hidden_size % (2 * heads):
        raise SystemExit(
            f"[{name}] hidden_size = {section.hidden_size}: it must be a multiple of twice num_attention_heads "
            f"= {heads}, since each head turns pairs of values"
        )
    if shared and heads % shared:
        raise SystemExit(f"[{name}] num_key_value_heads = {shared}: it must divide num_attention_heads = {heads}")


def _check_data(section: DataSection) -> None:
    for key, mix in {"mix": section.mix, "final_mix": section.final_mix}.items():
        if any(share < 0 for share in mix.values()) or (mix and not sum(mix.values())):
            refuse(f"[data] {key}", mix, "shares of 0 or more, one of them above 0")
    named = {"mix": section.mix, "final_mix": section.final_mix, "held_out": section.held_out}
    for key, names in named.items():
        if section.sources and (missing := set(names) - {*section.sources, section.written}):
            raise SystemExit(f"[data] {key} names {', '.join(sorted(missing))}, which sources does not hold")
    if section.written in section.sources:
        raise SystemExit(f'[data] written = "{section.written}" is one of sources already; give it a name of its own')
