from collections import Counter

import numpy as np
import pytest

from calm_train.models.calm import Calm
from calm_train.pool import choose, generate

RNG = np.random.default_rng(0)


def test_the_example_of_the_paper():
    pool = [(c,) for c in "ACADBEAFBG"]
    picks = Counter(choose(pool, 2, RNG)[0] for _ in range(4000))
    assert set(picks) == {"A", "B"}
    assert picks["A"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_falls_back_to_a_uniform_draw_when_nothing_repeats():
    pool = [(i,) for i in range(4)]
    picks = Counter(choose(pool, 3, RNG)[0] for _ in range(4000))
    assert all(count / 4000 == pytest.approx(0.25, abs=0.03) for count in picks.values())


def test_generation_stops_at_the_limit_and_leaves_end_of_text_out(calm: Calm):
    prompts = [np.array([[60, 60]])] * 3
    texts = generate(calm, prompts, eos=61, num_candidates=10, max_chunks=5, rng=RNG)
    assert all(len(text) <= 10 and 61 not in text for text in texts)
