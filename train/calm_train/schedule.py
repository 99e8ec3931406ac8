"""Warm-up, constant, then linear decay, planned in steps so that it ends within a budget of wall-clock time.

While the rate is constant the number of steps follows the measured speed; once it decays the plan shrinks when
time runs short and grows back, at most to what it was, when the machine is free again. A pause or a slow
neighbour therefore costs steps, never the end of the decay. With `steps` given the plan is those steps, whatever
time they take: what a comparison at equal training FLOPs needs.
"""

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
    deadline: float
    steps: int = 0
    total: int = 1_000_000_000
    longest: int = 1_000_000_000
    decay_start: int | None = None
    current: float = 0.0
    current_step: int = -1

    @staticmethod
    def start(section: OptimSection) -> "Plan":
        deadline = time.time() + 60 * section.minutes
        if section.deadline:
            deadline = min(deadline, clock_time(section.deadline, datetime.now()))
        rate = section.learning_rate
        plan = Plan(rate, rate * section.final_ratio, section.warmup_steps, section.constant_fraction, deadline)
        if section.steps:
            plan.steps = plan.total = plan.longest = section.steps
        return plan

    def adjust(self, step: int, seconds_per_step: float, now: float) -> None:
        """Fits the number of steps to the time that is left."""
        if not self.steps:
            possible = step + max(0, int((self.deadline - RESERVE_SECONDS - now) / seconds_per_step))
            self.total = min(self.longest, possible)
        if self.decay_start is None and step >= self.constant_fraction * self.total:
            self.decay_start, self.longest = step, self.total

    def learning_rate(self, step: int) -> float:
        """Each step of the decay takes an equal share of what is left, so a shorter plan bends no curve upwards."""
        if step != self.current_step:
            if self.decay_start is None:
                self.current = self.peak * min(1.0, (step + 1) / self.warmup)
            else:
                self.current -= (self.current - self.floor) / max(1, self.total - step)
            self.current_step = step
        return self.current

    def progress(self, step: int) -> float:
        return step / self.total

    def finished(self, step: int) -> bool:
        return step >= self.total


def clock_time(text: str, now: datetime) -> float:
    """The next time that the clock shows HH:MM, in seconds since the epoch."""
    hours, minutes = (int(part) for part in text.split(":"))
    then = now.replace(hour=hours, minute=minutes, second=0, microsecond=0)
    return (then if then > now else then + timedelta(days=1)).timestamp()
