"""The stage runs its C in spoilt memory: a plan that is wrong ends it, and so does one that is too small."""

from pathlib import Path

import numpy as np
import pytest
from drawn import write_network

from microstage_bench.drawn_networks import Drawing
from microstage_bench.network import Quantity
from microstage_cbackend.program.ir import KernelCall, Part
from microstage_cbackend.program.memory import MemoryPlan, fitting, orders, plan_memory
from microstage_cbackend.writers import part_writer


@pytest.fixture
def source(tmp_path) -> Path:
    d = Drawing("drawn-gate", (3, 8, 8), Quantity(1 / 128, 0, -127), seed=3)
    for _ in range(3):
        d.conv(8, 3)
    d.flatten()
    d.dense(4, relu=False)
    return write_network(d.network(), tmp_path / "in", vectors=4)


def test_a_plan_by_an_order_that_no_kernel_keeps(run_stage, source, monkeypatch, capsys):
    """As if convolutions read all of x before they write; the C of small machines alone is planned by orders."""

    def at_once(layer: KernelCall) -> orders.Order:
        read, written = (np.zeros((1, tensor.bytes), np.int64) for tensor in (layer.inputs[0], layer.output))
        return orders.Order((read,), written)

    monkeypatch.setitem(orders._ORDERS, "ms_small_conv", at_once)
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
