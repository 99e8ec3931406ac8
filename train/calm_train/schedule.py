"""Warm-up, constant, then decay, planned in steps so that it ends within a budget of wall-clock time.

While the rate is constant the number of steps follows the measured speed; once it decays the plan shrinks when
time runs short and grows back, at most to what it was, when the machine is free again. A pause or a slow
neighbour therefore costs steps, never the end of the decay. With `steps` or `flops` given the plan is fixed,
whatever time it takes: what a comparison at equal training FLOPs needs, and what repeats to the bit.
"""

import math
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from calm_train.sections import OptimSection

# Kept free at the end for the last evaluation and the export.
RESERVE_SECONDS = 45.0


@dataclass
class Plan:
    peak: float
    floor: float
    warmup: int
    constant_fraction: float
    decay: str
    deadline: float
    steps: int = 0
    total: int = 1_000_000_000
    longest: int = 1_000_000_000
    decay_start: int | None = None
    current: float = 0.0
    current_step: int = -1

    @staticmethod
    def start(section: OptimSection, flops_per_step: int = 1, flops_before: int = 0) -> "Plan":
        rate = section.learning_rate
        plan = Plan(
            peak=rate,
            floor=rate * section.final_ratio,
            warmup=section.warmup_steps,
            constant_fraction=section.constant_fraction,
            decay=section.decay,
            deadline=deadline(section, 0.0),
        )
        if steps := planned_steps(section, flops_per_step, flops_before):
            plan.steps = plan.total = plan.longest = steps
        return plan

    def resumed(self, section: OptimSection, seconds: float) -> "Plan":
        """The minutes between a kill and its resumption do not count."""
        self.deadline = deadline(section, seconds)
        return self

    def adjust(self, step: int, seconds_per_step: float | None, now: float) -> None:
        """Fits the number of steps to the time that is left; without a measured speed it stays."""
        if not self.steps and seconds_per_step is not None:
            possible = step + max(0, int((self.deadline - RESERVE_SECONDS - now) / seconds_per_step))
            self.total = min(self.longest, possible)
        if self.decay_start is None and step >= self.constant_fraction * self.total:
            self.decay_start, self.longest = step, self.total

    def learning_rate(self, step: int) -> float:
        """Each step of a linear decay takes an equal share of what is left, so a shorter plan bends no curve
        upwards; a cosine may only fall."""
        if step != self.current_step:
            if self.decay_start is None:
                self.current = self.peak * min(1.0, (step + 1) / self.warmup)
            elif self.decay == "cosine":
                part = min(1.0, (step + 1 - self.decay_start) / max(1, self.total - self.decay_start))
                height = (1 + math.cos(math.pi * part)) / 2
                self.current = min(self.current, self.floor + height * (self.peak - self.floor))
            else:
                self.current -= (self.current - self.floor) / max(1, self.total - step)
            self.current_step = step
        return self.current

    def progress(self, step: int) -> float:
        return step / self.total

    def finished(self, step: int) -> bool:
        return step >= self.total


def planned_steps(section: OptimSection, flops_per_step: int, flops_before: int) -> int:
    """0 where the clock decides."""
    if section.steps or not section.flops:
        return section.steps
    steps = int((section.flops - flops_before) // flops_per_step)
    if steps < 1:
        raise SystemExit(
            f"flops = {section.flops:.3g} pays for no step: {flops_before:.3g} were spent before, "
            f"and a step costs {flops_per_step:.3g}"
        )
    return steps


def deadline(section: OptimSection, seconds: float) -> float:
    """When to end, in seconds since the epoch, if `seconds` of the minutes are used up."""
    end = time.time() + 60 * section.minutes - seconds
    return min(end, clock_time(section.deadline, datetime.now())) if section.deadline else end


def clock_time(text: str, now: datetime) -> float:
    """The next time that the clock shows HH:MM, in seconds since the epoch."""
    hours, minutes = (int(part) for part in text.split(":"))
    then = now.replace(hour=hours, minute=minutes, second=0, microsecond=0)
    return (then if then > now else then + timedelta(days=1)).timestamp()
