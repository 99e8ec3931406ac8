"""Tells a person how far a training is: a bar in a terminal, plain lines elsewhere."""

import sys

from tqdm import tqdm


class Progress:
    def __init__(self, name: str, step: int, total: int):
        hidden, out = not sys.stderr.isatty(), sys.stderr
        self.bar = tqdm(desc=name, initial=step, total=total, unit="step", dynamic_ncols=True, disable=hidden, file=out)

    def advance(self, step: int, total: int, tokens_per_second: float, minutes_left: float) -> None:
        if self.bar.disable:
            return
        self.bar.total = total
        self.bar.set_postfix_str(f"{tokens_per_second:,.0f} tokens/s, {minutes_left:.1f} min left", refresh=False)
        self.bar.update(step - self.bar.n)

    def line(self, row: dict[str, float | int]) -> None:
        text = " ".join(f"{k}={v:.5g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items())
        if self.bar.disable:
            print(text, flush=True)
        else:
            self.bar.write(text)

    def close(self) -> None:
        self.bar.close()
