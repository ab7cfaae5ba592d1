"""What `make footprint` measures: in a firmware, of an emulated machine."""

import shutil
from pathlib import Path

import pytest
from drawn import write_network

from microstage.errors import MicrostageError, VerificationError
from microstage_bench.drawn_networks import Drawing
from microstage_bench.emulators import MACHINES, VECTOR_MACHINES
from microstage_bench.footprint import cortex_m4, firmware
from microstage_bench.footprint.firmware import Build, Footprint, firmware_of
from microstage_bench.footprint.vectors import measured_vectors
from microstage_bench.names import MEASURED
from microstage_bench.network import Quantity
from microstage_cbackend.generate import read_model
from microstage_cbackend.writers.emit import WrittenModel, emit

MACHINE = {machine.name: machine for machine in MACHINES}


def measured(folder: Path, build: Build) -> Footprint:
    if build.missing:
        pytest.skip(build.missing)
    with firmware_of(folder) as program:
        return program.measure(build)


def written(folder: Path, features: int) -> WrittenModel:
    """C of 100 -> features -> 10, and its program."""
    d = Drawing("small", (100,), Quantity(1 / 128), seed=1)
    d.dense(features)
    d.dense(10, relu=False)
    write_network(d.network(), folder / "in")
    program = WrittenModel(read_model(folder / "in"))
    for name, text in emit(program, {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    shutil.copy(folder / "in" / "golden.npz", folder)
    return program


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """(folder, program) by the width of the layer inside."""
    folders = {features: tmp_path_factory.mktemp(f"of-{features}") for features in (16, 64)}
    return {features: (folder, written(folder, features)) for features, folder in folders.items()}


@pytest.mark.parametrize("name", MEASURED)
def test_flash_memory_and_instructions_follow_the_network(name, networks):
    found = {}
    for features, (folder, program) in networks.items():
        found[features] = measured(folder, Build(MACHINE[name], "gcc", "-Os"))
        assert found[features].arena == max(program.machines[-1].arena_bytes, 8)
        assert found[features].static - found[features].arena in range(10, 130)  # output; input outside
        assert found[features].flash >= program.machines[-1].constant_bytes
    small, large = found[16], found[64]
    assert large.flash - small.flash >= 48 * 110  # bytes of weights
    assert large.instructions - small.instructions >= 48 * 110 / 16  # sixteen products at once, at most
    assert 32 < large.stack < 4096 and large.ram == large.static + large.stack


def test_dense_layers_alone_bring_no_code_of_images_and_keep_their_sizes_off_the_stack(networks):
    folder, program = networks[64]
    found = measured(folder, Build(MACHINE["cortex-m4"], "gcc", "-Os"))
    assert found.flash - program.machines[-1].constant_bytes < 1800
    assert found.stack < 256


def test_clang_makes_the_same_network_and_a_missing_one_is_named(networks, monkeypatch):
    folder, _ = networks[64]
    gcc, clang = (measured(folder, Build(MACHINE["cortex-m4"], compiler, "-O2")) for compiler in ("gcc", "clang"))
    assert (gcc.arena, gcc.constants) == (clang.arena, clang.constants) and gcc.instructions != clang.instructions
    monkeypatch.setattr("shutil.which", lambda tool: None if tool == "clang" else tool)
    assert Build(MACHINE["cortex-m4"], "clang", "-O2").missing == "clang not installed: apt-get install clang"
    assert not Build(MACHINE["cortex-m4"], "gcc", "-O2").missing


def test_longer_vectors_take_fewer_instructions_and_need_the_clang_that_knows_them(networks, monkeypatch):
    folder, _ = networks[64]
    short, long = (measured(folder, Build(machine, "clang-16", "-O2")).instructions for machine in VECTOR_MACHINES)
    assert long < 0.9 * short
    monkeypatch.setattr("shutil.which", lambda tool: None if tool == "clang-16" else tool)
    missing = Build(VECTOR_MACHINES[0], *VECTOR_MACHINES[0].compilers, "-O2").missing
    assert missing == "clang-16 not installed: apt-get install clang-16"


def test_cycles_are_modelled_of_the_instructions_that_the_clock_counted_and_of_no_others(networks):
    build = Build(MACHINE["cortex-m4"], "gcc", "-O2")
    if build.missing:
        pytest.skip(build.missing)
    with firmware_of(networks[64][0]) as program:
        counted = program.measure(build).instructions
        assert counted < cortex_m4.modelled(program, build, counted) < 2 * counted
        with pytest.raises(MicrostageError, match="its clock counted .*: no cycles"):
            cortex_m4.modelled(program, build, counted * 11 // 10)


def test_an_answer_of_the_machine_that_is_not_ours_fails(networks, monkeypatch):
    def of_another(*given):
        return measured_vectors(*given)[:-1] + b"\x55"

    monkeypatch.setattr(firmware, "measured_vectors", of_another)
    with pytest.raises(VerificationError, match="cortex-m4, gcc -O2 gives another answer than here: 1 bytes of"):
        measured(networks[16][0], Build(MACHINE["cortex-m4"], "gcc", "-O2"))


def test_an_answer_that_is_not_the_golden_one_fails(networks, tmp_path):
    folder = shutil.copytree(networks[16][0], tmp_path / "c")
    shutil.copy(networks[64][0] / "golden.npz", folder)  # of another network of the same ends
    with pytest.raises(VerificationError, match="The C of net_small gives another dense_1 than its golden vectors"):
        measured(folder, Build(MACHINE["cortex-m4"], "gcc", "-O2"))
