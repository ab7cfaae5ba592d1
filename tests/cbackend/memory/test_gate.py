"""The stage runs its C in spoilt memory: a plan that is wrong ends it, and so does one that is too small."""

from pathlib import Path

import pytest
from drawn import write_network

from microstage_bench.drawn_networks import Drawing
from microstage_bench.network import Quantity
from microstage_cbackend.program.ir import Part
from microstage_cbackend.program.memory import MemoryPlan, fitting, plan_memory
from microstage_cbackend.program.memory.lives import Buffer
from microstage_cbackend.writers import part_writer


@pytest.fixture
def source(tmp_path) -> Path:
    d = Drawing("drawn-gate", (3, 8, 8), Quantity(1 / 128, 0, -127), seed=3)
    for _ in range(3):
        d.conv(8, 3)
    d.flatten()
    d.dense(4, relu=False)
    return write_network(d.network(), tmp_path / "in", vectors=4)


def test_a_plan_that_shares_too_much(run_stage, source, monkeypatch, capsys):
    monkeypatch.setattr(Buffer, "allows", lambda *_: True)
    assert run_stage(source)[0] != 0
    assert "differs from the reference" in capsys.readouterr().err


def test_an_input_that_lies_where_the_first_layer_writes(run_stage, source, monkeypatch, capsys):
    """Every other vector is given in the arena."""

    def planned(part: Part) -> MemoryPlan:
        plan = plan_memory(part)
        for buffer in plan.inputs.values():
            buffer.offset = next(iter(plan.buffers.values())).offset
        return plan

    monkeypatch.setattr(part_writer, "plan_memory", planned)
    assert run_stage(source)[0] != 0
    assert "differs from the reference" in capsys.readouterr().err


def test_an_arena_that_is_too_small(run_stage, source, monkeypatch, capsys):
    size = fitting.Fitting.size
    monkeypatch.setattr(fitting.Fitting, "size", lambda self, places: size(self, places) - 512)
    assert run_stage(source)[0] != 0
    assert "beside the arena" in capsys.readouterr().err
