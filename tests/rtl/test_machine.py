"""The machine under Verilator beside its program in NumPy: random networks, stalls, frames that are dropped."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from drawn_graphs import DrawnGraph, DrawnNetwork, write_artefact

from microstage_rtl.program.assemble import assemble
from microstage_rtl.program.cycles import frame_cycles
from microstage_rtl.program.interpret import RunningMachine
from microstage_rtl.program.program import MachineProgram
from microstage_rtl.program.widths import Widths
from microstage_rtl.read.network import read_network
from microstage_rtl.write.folder import write_folder
from microstage_rtl.write.vectors import write_vectors

pytestmark = pytest.mark.skipif(not shutil.which("verilator"), reason="Verilator is not installed")
FRAMES = 20
SEEDS = {6: 2, 52: 16}
"Two networks that have every kind of call between them, weights of 4 bits and of 1, tables, searches; and their lanes."


def bench(folder: Path, program: MachineProgram) -> Path:
    """Write the machine of `program` and its bench to `folder`, without a warning; return the bench's program."""
    write_folder(folder, "drawn", program)
    source = resources.files("microstage_rtl").joinpath("prove", "bench.cpp")
    (folder / "bench.cpp").write_text(source.read_text())
    command = "verilator -Wall --cc --exe --build -O0 -CFLAGS -O0 -f files.f bench.cpp --top-module drawn --prefix Vdut"
    done = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and "%Warning" not in done.stderr, done.stderr
    return folder / "obj_dir" / "Vdut"


def replayed(program: Path, *words: str) -> tuple[int, int, int]:
    """Return (compared, differ, cycles) of the vectors in the program's folder."""
    folder = program.parents[1]
    command = [str(program), "vectors/input.txt", "vectors/expected.txt", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    found = re.search(r"compared (\d+) differ (\d+) cycles (\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    return tuple(map(int, found.groups()))


def written(folder: Path, program: MachineProgram, frames: list, starts: list[bool], sent: list) -> None:
    widths = Widths(program).parameters
    write_vectors(folder / "vectors", frames, starts, sent, (widths["IN_WIDTH"], widths["OUT_WIDTH"]))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_network_gives_its_programs_integers_in_its_programs_clocks(seed, tmp_path):
    network = DrawnNetwork(seed)
    program = assemble(read_network(network.write(tmp_path)), lanes=SEEDS[seed])
    (shape, low, high), *_ = network.graph.inputs.values()
    frames = np.random.default_rng(seed).integers(low, high + 1, (FRAMES, int(np.prod(shape))))
    machine = bench(tmp_path / "rtl", program)
    written(tmp_path / "rtl", program, frames, [False] * FRAMES, RunningMachine(program, FRAMES).frame(frames))
    beats = FRAMES * program.beats[1]
    compared, differ, cycles = replayed(machine)
    assert (compared, differ) == (beats, 0)
    assert 0 <= FRAMES * frame_cycles(program) - cycles < 40
    assert replayed(machine, "3", "40")[:2] == (beats, 0)


def test_frames_of_another_length_are_dropped_and_a_start_among_them_is_not_forgotten(tmp_path):
    random = np.random.default_rng(1)
    cell = DrawnGraph(random)
    both = cell.node("Concat", cell.input("x", (1, 3), -8, 7), cell.input("h", (1, 4), -7, 8), axis=1)
    sums = cell.node("MatMul", both, cell.weights(7, 4, 4))
    cell.thresholds(sums, 4, 15, 60, "anywhere", "NC", out_bias=-7.0, output="h_next")
    roles = {"length": 1, "cell": "cell", "steps": {"x": "xs"}, "states": {"h": "h_next"}}
    folder = write_artefact(tmp_path, {"cell": cell}, {"cell": {"h_next": ((1, 4), -7, 8)}}, sequence=roles)
    program = assemble(read_network(folder, "cell"), lanes=3)
    assert program.states == ["h"]
    machine = RunningMachine(program, 1)
    lengths = [3, 3, 2, 3, 4, 7, 3, 1, 3, 3, 5, 3, 3]
    tuser = [t in (0, 3, 7, 10, 11) for t in range(len(lengths))]
    frames = [random.integers(-8, 8, length) for length in lengths]
    sent, start = [], False
    for frame, user in zip(frames, tuser):
        start = start or user
        if len(frame) == 3:
            sent.append(machine.frame(frame[None], starts=start)[0])
            start = False
    program_bench = bench(tmp_path / "rtl", program)
    written(tmp_path / "rtl", program, frames, tuser, sent)
    for words in ((), ("2", "30"), ("5", "60")):
        assert replayed(program_bench, *words)[:2] == (4 * len(sent), 0)


@pytest.mark.parametrize("seed", range(12))
def test_verilator_has_no_warning_for_any_network(seed, tmp_path):
    program = assemble(read_network(DrawnNetwork(seed).write(tmp_path)), lanes=1 + seed % 7)
    write_folder(tmp_path / "rtl", "drawn", program)
    command = "verilator -Wall --lint-only -f files.f --top-module drawn"
    done = subprocess.run(command.split(), cwd=tmp_path / "rtl", capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_equal_programs_are_equal_bytes(tmp_path):
    (tmp_path / "source").mkdir()
    source = DrawnNetwork(4).write(tmp_path / "source")
    for name in "ab":
        write_folder(tmp_path / name, "drawn", assemble(read_network(source), 3))
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
