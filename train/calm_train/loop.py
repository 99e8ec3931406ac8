"""The training loop that all three trainers share: schedule, clipping, EMA, metrics, resume."""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from calm_train.data import Mixture
from calm_train.files import NotWritten, append_line, make_folder
from calm_train.memory import told_out_of_memory
from calm_train.optimizer import optimizer_for
from calm_train.progress import Progress
from calm_train.schedule import Plan
from calm_train.sections import OptimSection
from calm_train.state import Spent, keep_until, random_state, read_state, restore_random, write_state

# The average follows slowly (0.998 a step), so updating it every fourth step loses nothing and saves memory traffic.
EMA_EVERY = 4
MEASURED_STEPS = 20


@dataclass(frozen=True)
class Hooks:
    """What a trainer supplies. `loss(progress)` gives the loss to differentiate and figures to log;
    `evaluate()` and `export(facts)` run with the averaged weights in place."""

    loss: Callable[[float], tuple[Tensor, dict[str, Tensor]]]
    evaluate: Callable[[], dict[str, float]]
    export: Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Costs:
    """`before` was spent on what the model begins with: a CALM's autoencoder, or an earlier run."""

    tokens_per_step: int
    flops_per_step: int
    before: Spent = field(default_factory=Spent)


class Loop:
    def __init__(
        self,
        model: nn.Module,
        section: OptimSection,
        folder: Path,
        hooks: Hooks,
        data: Mixture,
        costs: Costs,
        identity: dict[str, Any],
        start: dict[str, Any] | None = None,
    ):
        """`start` is the state of the run that this one starts from; its own state, where there is one, goes first."""
        self.model, self.section, self.folder, self.hooks = model, section, folder, hooks
        self.metrics = folder / "metrics.jsonl"
        self.data, self.costs, self.identity = data, costs, identity
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.names, self.parameters = list(trained), list(trained.values())
        self.optimizer = optimizer_for(model, section)
        self.average = [p.detach().clone() for p in self.parameters]
        self.plan = Plan.start(section, costs.flops_per_step, costs.before.flops)
        self.step = self.saved_step = 0
        self.seconds = 0.0
        make_folder(folder)
        if start is not None:
            self._begin_from(start)
        self._resume()

    def run(self) -> dict[str, Any]:
        """Trains to the end of the plan; returns the facts of the run."""
        durations: list[float] = []
        last_save = last_evaluation = time.time()
        self.progress = Progress(self.folder.name, self.step, self.plan.total)
        while not self.plan.finished(self.step):
            begin = time.time()
            with told_out_of_memory(self._too_little_memory):
                figures = self._step()
            durations = [*durations[-199:], time.time() - begin]
            self.seconds += durations[-1]
            self.step += 1
            pace = median(durations)
            if self.step % MEASURED_STEPS == 0:
                self.plan.adjust(self.step, pace if len(durations) >= MEASURED_STEPS else None, time.time())
            self.progress.advance(self.step, self.plan.total, *self._speed(pace))
            if self.step % self.section.log_steps == 0:
                self._log(figures, pace)
            if self._evaluation_is_due(last_evaluation):
                self._evaluate()
                last_evaluation = time.time()
            if time.time() - last_save > 60 * self.section.checkpoint_minutes:
                self._save()
                last_save = time.time()
        self._evaluate()
        self._save()
        self.progress.close()
        return self.facts()

    def facts(self) -> dict[str, Any]:
        """The settings, and what was done with them."""
        return asdict(self.section) | asdict(self.spent())

    def spent(self) -> Spent:
        """In all, with what went into the model before this run."""
        before, costs = self.costs.before, self.costs
        return Spent(
            steps=before.steps + self.step,
            tokens=before.tokens + self.step * costs.tokens_per_step,
            flops=before.flops + self.step * costs.flops_per_step,
            seconds=round(before.seconds + self.seconds),
        )

    def _step(self) -> dict[str, Tensor]:
        rate = self.plan.learning_rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, figures = self.hooks.loss(self.plan.progress(self.step))
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, self.section.clip)
        if not math.isfinite(norm.item()):
            raise SystemExit(
                f"training diverged: the gradient is {norm.item()} at step {self.step}; lower learning_rate "
                f"(now {self.section.learning_rate}); {self._saved()}"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        if self.step % EMA_EVERY == 0:
            # Early on a short memory: the average must not drag the initial weights along.
            decay = min(self.section.ema, (1 + self.step) / (10 + self.step)) ** EMA_EVERY
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)
        return {"loss": loss.detach(), "grad_norm": norm, **figures}

    def _too_little_memory(self) -> str:
        section = self.section
        return (
            f"out of memory at step {self.step}: lower rows (now {section.rows}) or row_chunks "
            f"(now {section.row_chunks}); {self._saved()}"
        )

    def _saved(self) -> str:
        step = self.saved_step
        return f"the checkpoint of step {step} is kept" if step else "no checkpoint was written yet"

    @contextmanager
    def _telling_what_is_kept(self, doing: str) -> Iterator[None]:
        """Too little memory for, or a failing write of, what a run does between its steps."""

        def sentence() -> str:
            return f"out of memory while {doing} at step {self.step}: free some and start again; {self._saved()}"

        try:
            with told_out_of_memory(sentence):
                yield
        except NotWritten as error:
            raise SystemExit(f"{error}; {self._saved()}") from None

    def _evaluation_is_due(self, last: float) -> bool:
        if self.section.evaluate_steps:
            return self.step % self.section.evaluate_steps == 0 and not self.plan.finished(self.step)
        return time.time() - last > 60 * self.section.evaluate_minutes

    def _speed(self, pace: float) -> tuple[float, float]:
        """Tokens a second and minutes left."""
        return self.costs.tokens_per_step / pace, pace * max(0, self.plan.total - self.step) / 60

    def _log(self, figures: dict[str, Tensor], pace: float) -> None:
        row = {name: round(float(value), 5) for name, value in figures.items()}
        tokens_per_second, minutes_left = self._speed(pace)
        self._write(
            row
            | {
                "lr": self.plan.learning_rate(self.step),
                "tokens_per_second": round(tokens_per_second),
                "total_steps": self.plan.total,
                "minutes_left": round(minutes_left, 1),
            }
        )

    def _evaluate(self) -> None:
        # Evaluations happen by the clock, so they must not touch the random numbers that training draws.
        with self._telling_what_is_kept("evaluating"), torch.random.fork_rng():
            self._with_average(lambda: self._write(self.hooks.evaluate()))

    def _write(self, row: dict[str, float]) -> None:
        spent = self.spent()
        done = {"step": self.step, "seconds": spent.seconds, "tokens": spent.tokens, "flops": spent.flops}
        self.progress.line(done | row)
        with self._telling_what_is_kept("logging"):
            append_line(self.metrics, json.dumps(done | row))

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
            "names": self.names,
            "model": [p.detach() for p in self.parameters],
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "plan": asdict(self.plan),
            "step": self.step,
            "seconds": self.seconds,
            "spent": asdict(self.spent()),
            "random": random_state(),
            "data": self.data.state(),
            "identity": self.identity,
        }
        with self._telling_what_is_kept("saving"):
            write_state(self.folder, state)
            self.saved_step = self.step
            self._with_average(lambda: self.hooks.export(self.facts()))

    def _begin_from(self, state: dict[str, Any]) -> None:
        """What this run trains and that one did not keeps the weights it has, and all moments begin at zero then."""
        theirs = dict(zip(state["names"], state["average"], strict=True))
        mine = dict(zip(self.names, self.parameters, strict=True))
        if any(name not in mine or mine[name].shape != weights.shape for name, weights in theirs.items()):
            raise SystemExit(
                f"start_from = {self.section.start_from}: that run trained a model of another shape; give this one its "
                "shape, or start from nothing"
            )
        self._copy([theirs.get(name, p) for name, p in mine.items()])
        self.average = [p.detach().clone() for p in self.parameters]
        if list(theirs) == self.names:
            self.optimizer.load_state_dict(state["optimizer"])

    def _resume(self) -> None:
        state = read_state(self.folder, self.identity, self.section.device)
        if state is not None:
            self._restore(state)
        # Without a state too: a run that was killed before its first checkpoint left rows behind.
        with self._telling_what_is_kept("resuming"):
            keep_until(self.metrics, self.step)

    def _restore(self, state: dict[str, Any]) -> None:
        self._copy(state["model"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = self.saved_step = state["step"]
        self.seconds = state["seconds"]
        self.plan = Plan(**state["plan"]).resumed(self.section, self.seconds)
        self.data.restore(state["data"])
        restore_random(state["random"])
        print(f"resumed at step {self.step}", flush=True)
