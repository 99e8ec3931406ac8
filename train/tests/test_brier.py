from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from calm_train.brier import brier_lm, brier_lm_with_error, brier_terms

GOLDEN = load_file(Path(__file__).parent / "data" / "math.safetensors")


def test_matches_the_official_estimator():
    draws, target = GOLDEN["brier_draws"], GOLDEN["brier_target"]
    terms = brier_terms(draws, target.reshape(draws.shape[1:]))
    np.testing.assert_allclose(terms.reshape(-1, 4).mean(0), GOLDEN["brier"], atol=1e-6)


def test_estimates_the_brier_score_of_a_known_distribution():
    rng = np.random.default_rng(0)
    model, truth = np.array([0.5, 0.3, 0.2]), np.array([0.6, 0.1, 0.3])
    draws = rng.choice(3, size=(2, 200_000, 1), p=model)
    target = rng.choice(3, size=(200_000, 1), p=truth)
    expected = 2 * model @ truth - model @ model
    assert brier_terms(draws, target).mean() == pytest.approx(expected, abs=0.01)


def test_a_negative_brier_makes_the_score_zero():
    assert brier_lm(np.array([[1, 1, 1, -1]])) == 0


def test_standard_error_is_zero_for_equal_documents():
    terms = [np.array([[2, 1, 1, 1], [1, 1, 1, 1]])] * 5
    score, error = brier_lm_with_error(terms)
    assert score > 0
    assert error == pytest.approx(0, abs=1e-9)
