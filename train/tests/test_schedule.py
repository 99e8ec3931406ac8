import time
from datetime import datetime

import pytest

from calm_train.schedule import RESERVE_SECONDS, Plan, clock_time
from calm_train.sections import AutoencoderSection


def plan(deadline: float) -> Plan:
    made = Plan.start(AutoencoderSection(learning_rate=1.0, final_ratio=0.0, warmup_steps=10, constant_fraction=0.5))
    made.deadline = deadline + RESERVE_SECONDS
    return made


def test_warms_up_stays_and_decays_to_the_floor_in_time():
    schedule, rates, step = plan(100), [], 0
    while not schedule.finished(step):
        rates.append(schedule.learning_rate(step))
        step += 1
        schedule.adjust(step, seconds_per_step=1.0, now=step)
    assert len(rates) == 100
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:50] == [1.0] * 41
    assert rates[75] == pytest.approx(0.5, abs=0.03)
    assert rates[-1] == pytest.approx(0.0, abs=0.03)


def test_a_pause_shortens_the_plan_and_the_decay_still_ends():
    schedule, rates, step, now = plan(100), [], 0, 0
    while not schedule.finished(step):
        rates.append(schedule.learning_rate(step))
        step += 1
        now += 21 if step == 70 else 1
        schedule.adjust(step, seconds_per_step=1.0, now=now)
    assert len(rates) == 80
    assert rates == sorted(rates[:50]) + sorted(rates[50:], reverse=True)
    assert rates[-1] == pytest.approx(0.0, abs=0.06)


def test_a_decaying_plan_recovers_from_a_slow_neighbour_but_never_outgrows_itself():
    schedule = plan(100)
    schedule.adjust(60, seconds_per_step=1.0, now=60)
    schedule.adjust(70, seconds_per_step=3.0, now=70)
    assert schedule.total == 80
    schedule.adjust(71, seconds_per_step=0.1, now=71)
    assert schedule.total == 100


def test_a_deadline_is_the_next_time_the_clock_shows_it():
    now = datetime(2026, 1, 1, 23, 30)
    assert clock_time("23:45", now) - now.timestamp() == 15 * 60
    assert clock_time("00:15", now) - now.timestamp() == 45 * 60


def test_a_plan_of_steps_takes_them_all_however_long_they_take():
    section = AutoencoderSection(learning_rate=1.0, final_ratio=0.0, warmup_steps=1, constant_fraction=0.5, steps=100)
    schedule, rates, step = Plan.start(section), [], 0
    while not schedule.finished(step):
        rates.append(schedule.learning_rate(step))
        step += 1
        schedule.adjust(step, seconds_per_step=1e6, now=schedule.deadline + 1)
    assert len(rates) == 100
    assert rates[:50] == [1.0] * 50
    assert rates[-1] == pytest.approx(0.0, abs=0.03)


def test_a_cosine_falls_from_the_peak_to_the_floor():
    section = AutoencoderSection(
        learning_rate=1.0, final_ratio=0.1, warmup_steps=10, constant_fraction=0.0, decay="cosine", steps=120
    )
    schedule, rates = Plan.start(section), []
    for step in range(120):
        rates.append(schedule.learning_rate(step))
        schedule.adjust(step + 1, None, now=0.0) if (step + 1) % 20 == 0 else None
    assert max(rates) == pytest.approx(1.0)
    assert rates[70] == pytest.approx(0.55, abs=0.02)
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[-1] == pytest.approx(0.1)


def test_a_budget_of_flops_gives_the_steps_that_it_pays_for():
    section = AutoencoderSection(flops=1000.0)
    assert Plan.start(section, flops_per_step=90, flops_before=100).total == 10
    assert Plan.start(AutoencoderSection(flops=1000.0, steps=3), flops_per_step=90).total == 3


def test_time_between_a_kill_and_its_resumption_does_not_count():
    section = AutoencoderSection(minutes=10)
    schedule = Plan.start(section)
    schedule.deadline = 0.0
    assert schedule.resumed(section, seconds=240).deadline == pytest.approx(time.time() + 360, abs=5)
