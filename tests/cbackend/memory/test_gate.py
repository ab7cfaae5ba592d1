"""The stage runs its C in spoilt memory: a plan that is wrong ends it, and so does one that is too small."""

from microstage_cbackend.program.memory import fitting
from microstage_cbackend.program.memory.lives import Buffer


def test_a_plan_that_shares_too_much(run_stage, every_kernel_source, monkeypatch, capsys):
    monkeypatch.setattr(Buffer, "allows", lambda *_: True)
    code, _ = run_stage(every_kernel_source)
    assert code != 0
    assert "differs from the reference" in capsys.readouterr().err


def test_an_input_that_lies_where_something_is_written(run_stage, every_kernel_source, monkeypatch, capsys):
    """Every other vector is given in the arena."""
    allows = Buffer.allows
    monkeypatch.setattr(Buffer, "allows", lambda a, b, d: min(a.first, b.first) < 0 or allows(a, b, d))
    code, _ = run_stage(every_kernel_source)
    assert code != 0
    assert "differs from the reference" in capsys.readouterr().err


def test_an_arena_that_is_too_small(run_stage, every_kernel_source, monkeypatch, capsys):
    size = fitting.Fitting.size
    monkeypatch.setattr(fitting.Fitting, "size", lambda self, places: size(self, places) - 1024)
    code, _ = run_stage(every_kernel_source)
    assert code != 0
    assert "beside the arena" in capsys.readouterr().err
