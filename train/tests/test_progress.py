import io

import pytest

from calm_train import progress
from calm_train.progress import Progress


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_with_speed_and_time_left(monkeypatch: pytest.MonkeyPatch):
    screen = Screen()
    monkeypatch.setattr(progress.sys, "stderr", screen)
    shown = Progress("calm", step=0, total=100)
    shown.advance(30, 120, tokens_per_second=12_345.6, minutes_left=7.25)
    shown.line({"step": 30, "loss": 1.23456789})
    shown.close()
    assert "12,346 tokens/s, 7.2 min left" in screen.getvalue()
    assert "30/120" in screen.getvalue()


def test_a_file_gets_plain_lines(capsys: pytest.CaptureFixture):
    shown = Progress("calm", step=0, total=100)
    shown.advance(30, 100, tokens_per_second=1.0, minutes_left=1.0)
    shown.line({"step": 30, "loss": 1.23456789})
    shown.close()
    printed = capsys.readouterr()
    assert printed.out == "step=30 loss=1.2346\n"
    assert printed.err == ""
