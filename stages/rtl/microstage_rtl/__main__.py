"""Run the stage: python -m microstage_rtl --in streamline=DIR --out DIR --scratch DIR"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from microstage.errors import ParameterError
from microstage.files.canonical import write_json
from microstage.interface.c_names import network_name
from microstage.stage import Job, stage_main
from microstage_rtl.program.assemble import assemble
from microstage_rtl.program.lanes import default_lanes
from microstage_rtl.program.program import MachineProgram
from microstage_rtl.prove.drawn import write_frames
from microstage_rtl.prove.golden import replayed
from microstage_rtl.prove.proof import ReplayProof, frames_within, prove_netlist, prove_sources
from microstage_rtl.prove.testbench import add_testbench
from microstage_rtl.read.network import read_network
from microstage_rtl.synthesise.devices import DEVICES, ECP5, Device
from microstage_rtl.synthesise.place import place
from microstage_rtl.synthesise.report import report, sentences
from microstage_rtl.synthesise.resources import does_not_fit, taken
from microstage_rtl.synthesise.yosys import Netlist, synthesised
from microstage_rtl.tools.verilator import version
from microstage_rtl.write.folder import write_folder

_CARRIED = ("interface.json", "model_def.json")
_RANDOM = 10_000


def run(job: Job) -> None:
    """Write the network as SystemVerilog, prove it, synthesise it; publish what is equal at every integer."""
    if "streamline" not in job.inputs:
        raise ParameterError("rtl needs --in streamline=DIR, the artefact of the streamline stage.")
    device = _device(job)
    (job.logs / "verilator.txt").write_text(version() + "\n")  # it tested the artefact, and is no part of it
    work = job.scratch / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    top, folder = _name(job), job.output / "rtl"
    program = _program(job)
    _written(job, program, folder, top)
    cycles = _prove_sources(job, program, folder, work)
    netlist = synthesised(folder, top, ECP5, work / "ecp5", job.logs / "yosys-ecp5.txt")
    _prove_netlist(job, program, folder, netlist, cycles, work)
    _synthesise(job, device, netlist, folder, cycles, work)
    for name in _CARRIED:
        shutil.copyfile(job.inputs["streamline"] / name, job.output / name)


def _device(job: Job) -> Device:
    """Return DEVICE=; raise `ParameterError` where PLACE=1 asks for one that nextpnr does not know."""
    device = DEVICES[job.parameters.get("device", "ecp5-25")]
    if job.parameters.get("place", False) and not device.place:
        raise ParameterError(f"PLACE=1 needs a device that nextpnr knows, which {device.name} is not: leave it out.")
    return device


def _name(job: Job) -> str:
    said = json.loads((job.inputs["streamline"] / "model_def.json").read_text())
    return job.parameters.get("module") or network_name(said.get("model", "network"))


def _program(job: Job) -> MachineProgram:
    """Read and assemble the network, for LANES= or as many lanes as suit it."""
    said = job.parameters
    network = read_network(job.inputs["streamline"], said.get("part", ""), said.get("logits", False))
    return assemble(network, job.parameters.get("lanes", 0) or default_lanes(network))


def _written(job: Job, program: MachineProgram, folder: Path, top: str) -> None:
    """Write the folder, with the golden vectors that the program's interpreter reproduced."""
    golden = replayed(program, job.inputs["streamline"])
    for boundary in golden.compared:
        job.verified(f"program, {boundary.boundary}", boundary.compared, boundary.equal)
    write_folder(folder, top, program)
    write_frames(folder / "vectors", program, golden.frames, golden.sent)
    add_testbench(folder, top)
    job.log(f"{program.lanes} lanes; the program gives {sum(b.equal for b in golden.compared):,} golden integers")


def _prove_sources(job: Job, program: MachineProgram, folder: Path, work: Path) -> int:
    """Prove what was written; return the cycles of one frame, without stalls."""
    asked = job.parameters.get("random_vectors", _RANDOM)
    proofs = list(prove_sources(folder, program, asked, work / "sources", job.logs / "verilator-sources.txt"))
    _tell(job, proofs)
    return round(proofs[0].cycles / proofs[0].frames)


def _prove_netlist(job: Job, program: MachineProgram, folder: Path, netlist: Netlist, cycles: int, work: Path) -> None:
    """Prove yosys' netlist, on as many frames as NETLIST_VECTORS= says, else on fewer than the sources."""
    asked = job.parameters.get("random_vectors", _RANDOM)
    frames = job.parameters.get("netlist_vectors", 0) or frames_within(asked, cycles, program.lanes, netlist=True)
    log = job.logs / "verilator-netlist.txt"
    _tell(job, list(prove_netlist(netlist, folder, program, frames, work / "netlist", log)))


def _tell(job: Job, proofs: list[ReplayProof]) -> None:
    for proof in proofs:
        job.verified(proof.boundary, proof.compared, proof.compared)
        job.metric(f"proof.{proof.boundary}", {"frames": proof.frames, "cycles": proof.cycles})
        job.log(f"{proof.boundary}: {proof.frames:,} frames, {proof.compared:,} integers, 0 differ")


def _synthesise(job: Job, device: Device, netlist: Netlist, folder: Path, cycles: int, work: Path) -> None:
    """Write resources.json, and with PLACE=1 a bitstream; the netlist for an ECP5 is there already."""
    place_it, clock = job.parameters.get("place", False), job.parameters.get("clock", 80.0)
    if device.synthesis != ECP5:
        log = job.logs / f"yosys-{device.family}.txt"
        netlist = synthesised(folder, netlist.top, device.synthesis, work / device.family, log, device.serial)
    unfit = does_not_fit(taken(netlist.cells, device), device)
    placed = place(netlist, device, clock, job.logs) if place_it and not unfit else None
    if placed:
        shutil.copyfile(placed.bitstream, job.output / f"{_name(job)}.bit")
    said = report(device, netlist.cells, cycles, placed)
    write_json(job.output / "resources.json", said)
    job.metric("resources", said)
    for line in sentences(said, clock):
        job.log(line)
    if placed:
        clock_s, core_s = (round(seconds, 1) for seconds in placed.seconds)
        job.metric("place_and_route", {"seconds": clock_s, "core_seconds": core_s})
        job.log(f"place and route took {clock_s:,} s, {core_s:,} s of a core")


if __name__ == "__main__":
    raise SystemExit(stage_main("rtl", run))
