"""What `make footprint` measures: in a firmware, of an emulated machine."""

import pytest
from drawn import write_network

from microstage_bench.drawn_networks import Drawing
from microstage_bench.emulators import MACHINES
from microstage_bench.firmware import measure
from microstage_bench.network import Quantity
from microstage_cbackend.generate import read_model
from microstage_cbackend.writers.emit import WrittenModel, emit

MEASURED = [machine for machine in MACHINES if machine.name in ("cortex-m4", "riscv32")]


def dense(folder, features):
    """C of 100 -> features -> 10, and its program."""
    d = Drawing("small", (100,), Quantity(1 / 128), seed=1)
    d.dense(features)
    d.dense(10, relu=False)
    write_network(d.network(), folder / "in")
    program = WrittenModel(read_model(folder / "in"))
    for name, text in emit(program, {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return program


@pytest.mark.parametrize("machine", MEASURED, ids=lambda machine: machine.name)
def test_flash_memory_and_instructions_follow_the_network(machine, tmp_path):
    if machine.missing:
        pytest.skip(machine.missing)
    found = {}
    for features in (16, 64):
        folder = tmp_path / str(features)
        folder.mkdir()
        program = dense(folder, features)
        found[features] = measure(folder, machine, "-Os")
        assert found[features].arena == max(program.arena_bytes, 8)
        assert found[features].static - found[features].arena in range(110, 130)  # input, output, alignment
        assert found[features].flash >= program.constant_bytes
    small, large = found[16], found[64]
    assert large.flash - small.flash >= 48 * 110  # bytes of weights
    assert large.instructions - small.instructions >= 48 * 110
    assert 32 < large.stack < 4096
    assert measure(tmp_path / "64", machine, "-Os") == large
