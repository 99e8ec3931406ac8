from dataclasses import replace

import pytest
import torch

from calm_train import precision
from calm_train.precision import mixed_precision, precision_of
from calm_train.sections import OptimSection

SECTION = OptimSection(compile=False)


def product_type(section: OptimSection) -> torch.dtype:
    left = torch.randn(8, 8)
    return mixed_precision(lambda right: left @ right, section)(torch.randn(8, 8)).dtype


@pytest.mark.parametrize("name", ["bfloat16", "float32"])
def test_products_are_computed_in_the_precision_that_was_asked_for(name: str):
    assert product_type(replace(SECTION, precision=name)) == getattr(torch, name)


@pytest.mark.parametrize(("rates", "expected"), [((4.0, 1.0), torch.bfloat16), ((1.0, 4.0), torch.float32)])
def test_auto_takes_what_the_processor_is_faster_at(
    monkeypatch: pytest.MonkeyPatch, rates: tuple[float, float], expected: torch.dtype
):
    speed = dict(zip((torch.bfloat16, torch.float32), rates, strict=True))
    monkeypatch.setattr(precision, "product_rate", lambda dtype, *_: speed[dtype])
    precision._fast_at_bfloat16.cache_clear()
    assert precision_of("cpu", "auto") == expected
    precision._fast_at_bfloat16.cache_clear()


def test_an_unknown_precision_ends_with_a_sentence():
    with pytest.raises(SystemExit, match='precision = "fp8" is unknown; give one of auto, bfloat16, float32'):
        precision_of("cpu", "fp8")


def test_measuring_draws_no_random_numbers_of_the_training():
    before = torch.get_rng_state()
    precision._fast_at_bfloat16.cache_clear()
    precision_of("cpu", "auto")
    assert torch.equal(torch.get_rng_state(), before)
