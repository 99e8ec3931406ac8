"""The model card as Markdown."""

from statistics import fmean
from typing import Any

from calm_train.seeds import Estimate


def render(card: dict[str, Any]) -> str:
    parts = [f"# {card['title']}", _training(card)]
    if "autoencoder" in card:
        parts.append(_autoencoder(card))
    parts.append(_scores(card))
    if card.get("samples"):
        parts.append(_samples(card))
    if card["weaknesses"]:
        parts.append("## Known weaknesses\n" + _bullets(card["weaknesses"]))
    return "\n\n".join(parts) + "\n"


def comparison_table(results: list[dict[str, Any]]) -> str:
    """What calm_train.compare measured, one run a row."""
    names = ["run", "K", "training FLOPs", "steps", "tokens seen", "BrierLM", "Brier-1..4", "FLOPs a token"]
    names += ["FLOPs a draw", "ms a draw"]
    rows = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for r in results:
        each = ", ".join(f"{value:.2f}" for value in r["brier"])
        rows.append(
            f"| {r['name']} | {r['patch_size']} | {r['training_flops']:.3g} | {r['steps']:,} | {r['tokens']:,} "
            f"| {r['brier_lm']:.2f} ± {r['standard_error']:.2f} | {each} | {r['flops_per_token']:.3g} "
            f"| {r['sample_flops']:.3g} | {r['sample_ms']:.2f} |"
        )
    return "\n".join(rows)


def seeds_table(runs: dict[str, list[dict[str, Any]]]) -> str:
    """The same from several seeds: the score of each, and the mean with its standard error over them."""
    rows = ["| run | K | BrierLM of each seed | mean | Brier-1..4, means |", "|---|---|---|---|---|"]
    for name, same in runs.items():
        score = Estimate.of([r["brier_lm"] for r in same])
        parts = ", ".join(f"{fmean(values):.2f}" for values in zip(*(r["brier"] for r in same), strict=True))
        each = ", ".join(f"{value:.2f}" for value in score.values)
        rows.append(f"| {name} | {same[0]['patch_size']} | {each} | {score.mean:.2f} ± {score.error:.2f} | {parts} |")
    return "\n".join(rows)


def _training(card: dict[str, Any]) -> str:
    training, autoencoder = card["training"], card.get("autoencoder_training")
    mix = ", ".join(f"{share:.0%} {name}" for name, share in card["mix"].items())
    final = ", ".join(card["final_mix"])
    lines = [f"{card['parameters']:,} parameters"]
    if autoencoder:
        lines[0] += f", {card['autoencoder_parameters']:,} of them the autoencoder"
        lines.append(f"autoencoder: {_effort(autoencoder)}")
    lines += [f"{'backbone and head: ' if autoencoder else ''}{_effort(training)}", _flops(card), _speed(card)]
    lines.append(f"rows of text: {mix}" + (f"; the last part {final} alone" if final else ""))
    return "## Training\n" + _bullets(lines) + "\n\nData:\n" + _bullets(card["data"])


def _effort(facts: dict[str, Any]) -> str:
    threads = "1 thread" if facts["threads"] == 1 else f"{facts['threads']} threads"
    return f"{facts['steps']:,} steps, {facts['tokens']:,} tokens, {_minutes(facts)}, {threads}"


def _flops(card: dict[str, Any]) -> str:
    counted = "forward and backward" + (", autoencoder and all head samples" if "autoencoder_training" in card else "")
    return f"{card['training_flops']:.3g} FLOPs in all ({counted})"


def _speed(card: dict[str, Any]) -> str:
    training, peak = card["training"], card["peak_flops_per_second"]
    # The autoencoder's FLOPs are in the total but not in this run's seconds.
    flops = card["training_flops"] - card.get("autoencoder_flops", 0)
    rate = flops / training["seconds"]
    tokens = training["tokens"] / training["seconds"]
    return (
        f"{tokens:,.0f} tokens/s, {rate / 1e9:,.0f} GFLOP/s: {rate / peak:.0%} of the {peak / 1e9:,.0f} GFLOP/s of a "
        f"{card['peak_precision']} matrix product on as many threads"
    )


def _autoencoder(card: dict[str, Any]) -> str:
    rows = ["| held-out text | tokens | exact | exact under posterior noise |", "|---|---|---|---|"]
    for name, figures in card["autoencoder"].items():
        if isinstance(figures, dict):
            exact, noisy = figures["exact"], figures["exact_under_posterior_noise"]
            rows.append(f"| {name} | {figures['tokens']:,} | {exact:.3%} | {noisy:.3%} |")
    return f"## Autoencoder (mean sigma {card['autoencoder']['posterior_sigma']})\n" + "\n".join(rows)


def _scores(card: dict[str, Any]) -> str:
    lines = [_brier("BrierLM", card["brier"])]
    if "energy" in card:
        energy = card["energy"]
        lines.insert(0, f"energy loss: {energy['train']} on training stories, {energy['held_out']} on held-out ones")
    if "baseline" in card:
        baseline = card["baseline"]
        label = f"token baseline ({baseline['parameters']:,} parameters, {_minutes(baseline['training'])})"
        lines.append(_brier(f"BrierLM of the {label}", baseline["brier"]))
    note = "Targets start on chunk borders and hold no end of text; errors are jackknife over documents."
    return "## Held-out scores\n" + _bullets(lines) + "\n\n" + note


def _brier(label: str, figures: dict[str, Any]) -> str:
    each = ", ".join(f"{value:.2f}" for value in figures["brier"])
    score = f"{figures['brier_lm']:.2f} +- {figures['standard_error']:.2f}"
    line = f"{label}: {score} (Brier-1..4: {each}; {figures['documents']} stories, {figures['positions']:,} positions)"
    ranges = {name: part for name, part in figures["by_token_position"].items() if "brier_lm" in part}
    parts = [f"{p['brier_lm']:.2f} +- {p['standard_error']:.2f} at tokens {name}" for name, p in ranges.items()]
    return line + "".join(f"\n  - {part}" for part in parts)


def _samples(card: dict[str, Any]) -> str:
    settings = card["sampling"]
    head = f"## Unedited samples (T = {settings['temperature']}, N = {settings['num_candidates']}, pool algorithm)"
    quoted = ["> " + text.strip().replace("\n", "\n> ") for text in card["samples"]]
    return head + "\n\n" + "\n\n---\n\n".join(quoted)


def _minutes(facts: dict[str, Any]) -> str:
    return f"{facts['seconds'] / 60:.0f} minutes"


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
