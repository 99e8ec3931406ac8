"""The training loop that all three trainers share: schedule, clipping, EMA, metrics, resume."""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from calm_train.optimizer import optimizer_for
from calm_train.schedule import Plan
from calm_train.sections import OptimSection

# The average follows slowly (0.998 a step), so updating it every fourth step loses nothing and saves memory traffic.
EMA_EVERY = 4


@dataclass
class Hooks:
    """What a trainer supplies. `loss(progress)` gives the loss to differentiate and figures to log;
    `evaluate()` and `export()` run with the averaged weights in place; `reseed(step)` gives a resumed run data that
    it has not just seen."""

    loss: Callable[[float], tuple[Tensor, dict[str, Tensor]]]
    evaluate: Callable[[], dict[str, float]]
    export: Callable[[dict], None]
    reseed: Callable[[int], None]


class Loop:
    def __init__(self, model: nn.Module, section: OptimSection, folder: Path, hooks: Hooks, tokens_per_step: int):
        self.model, self.section, self.folder, self.hooks = model, section, folder, hooks
        self.tokens_per_step = tokens_per_step
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = optimizer_for(model, section)
        self.average = [p.detach().clone() for p in self.parameters]
        self.plan = Plan.start(section)
        self.step = 0
        self.seconds = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "state.pt").exists():
            self._resume()

    def run(self) -> dict:
        """Trains to the end of the plan; returns the facts of the run."""
        durations: list[float] = []
        last_save = last_evaluation = time.time()
        while not self.plan.finished(self.step):
            begin = time.time()
            figures = self._step()
            durations = [*durations[-199:], time.time() - begin]
            self.seconds += durations[-1]
            self.step += 1
            if self.step % 20 == 0 and len(durations) >= 20:
                self.plan.adjust(self.step, median(durations), time.time())
            if self.step % self.section.log_steps == 0:
                self._log(figures, median(durations))
            if time.time() - last_evaluation > 60 * self.section.evaluate_minutes:
                self._evaluate()
                last_evaluation = time.time()
            if time.time() - last_save > 60 * self.section.checkpoint_minutes:
                self._save()
                last_save = time.time()
        self._evaluate()
        self._save()
        return self.facts()

    def facts(self) -> dict:
        tokens = self.step * self.tokens_per_step
        return {"steps": self.step, "tokens": tokens, "seconds": round(self.seconds), **asdict(self.section)}

    def _step(self) -> dict[str, Tensor]:
        rate = self.plan.learning_rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, figures = self.hooks.loss(self.plan.progress(self.step))
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, self.section.clip)
        if not math.isfinite(norm.item()):
            raise SystemExit(
                f"training diverged: the gradient is {norm.item()} at step {self.step}; lower learning_rate"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        if self.step % EMA_EVERY == 0:
            # Early on a short memory: the average must not drag the initial weights along.
            decay = min(self.section.ema, (1 + self.step) / (10 + self.step)) ** EMA_EVERY
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)
        return {"loss": loss.detach(), "grad_norm": norm, **figures}

    def _log(self, figures: dict[str, Tensor], seconds: float) -> None:
        row = {name: round(float(value), 5) for name, value in figures.items()}
        left = seconds * max(0, self.plan.total - self.step)
        self._write(
            row
            | {
                "lr": self.plan.learning_rate(self.step),
                "tokens_per_second": round(self.tokens_per_step / seconds),
                "total_steps": self.plan.total,
                "minutes_left": round(left / 60, 1),
            }
        )

    def _evaluate(self) -> None:
        self._with_average(lambda: self._write(self.hooks.evaluate()))

    def _write(self, row: dict) -> None:
        row = {"step": self.step, "seconds": round(self.seconds), **row}
        print(
            " ".join(f"{k}={v:.5g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()),
            flush=True,
        )
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def _with_average(self, action: Callable[[], None]) -> None:
        own = [p.detach().clone() for p in self.parameters]
        self._copy(self.average)
        self.model.eval()
        with torch.no_grad():
            action()
        self.model.train()
        self._copy(own)

    @torch.no_grad()
    def _copy(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)

    def _save(self) -> None:
        state = {
            "model": [p.detach() for p in self.parameters],
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "plan": asdict(self.plan),
            "step": self.step,
            "seconds": self.seconds,
        }
        torch.save(state, self.folder / "state.tmp")
        os.replace(self.folder / "state.tmp", self.folder / "state.pt")
        self._with_average(lambda: self.hooks.export(self.facts()))

    def _resume(self) -> None:
        state = torch.load(self.folder / "state.pt", weights_only=True, map_location=self.section.device)
        self._copy(state["model"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.plan = Plan(**state["plan"])
        self.step, self.seconds = state["step"], state["seconds"]
        torch.manual_seed(self.section.seed + self.step)
        self.hooks.reseed(self.step)
        print(f"resumed at step {self.step}", flush=True)
