"""Synthesise a folder with yosys: a netlist as JSON and as Verilog, and what is in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import MicrostageError, VerificationError
from microstage_rtl.synthesise.serial import add_serial
from microstage_rtl.tools import wasm

__all__ = ["Netlist", "synthesised"]


@dataclass(frozen=True)
class Netlist:
    """What yosys made: netlist.json and netlist.v in `folder`, of the module `top`, and its {type of cell: count}."""

    folder: Path
    top: str
    cells: dict[str, int]


def synthesised(folder: Path, top: str, synthesis: str, work: Path, log: Path, serial: bool = False) -> Netlist:
    """Synthesise the files of `folder`/files.f in `work`, by the command `synthesis`; `serial` with few pins.

    Raise `VerificationError` where a net has several drivers or none, `MicrostageError` where yosys ends otherwise.
    """
    work.mkdir(parents=True)
    for path in folder.iterdir():
        if path.suffix in (".sv", ".hex", ".json"):
            (work / path.name).write_bytes(path.read_bytes())
    files = " ".join((folder / "files.f").read_text().split())
    if serial:
        top = add_serial(work, top)
        files += f" {top}.sv"
    script = [
        f"read_verilog -sv -defer {files}",
        f"hierarchy -check -top {top}",
        "proc",
        "check -assert",
        synthesis.format(top=top),
        "check -assert",
        "tee -q -o cells.json stat -json",
        "write_json netlist.json",
        "write_verilog -noattr netlist.v",
    ]
    try:
        said = wasm.run("yosys", ["-p", "; ".join(script)], work, log)
    except wasm.ToolFailed as failed:
        raise MicrostageError(
            f"yosys refused the generated SystemVerilog, which is a fault of this generator: {failed}"
        ) from None
    _assert_driven(said)
    counted = json.loads((work / "cells.json").read_text())["design"]["num_cells_by_type"]
    return Netlist(work, top, {name: count for name, count in counted.items() if not name.startswith("$")})


def _assert_driven(said: str) -> None:
    """Raise `VerificationError` for a warning about drivers."""
    found = [line for line in said.splitlines() if "arning" in line and "driver" in line.lower()]
    if found:
        raise VerificationError(f"yosys warns of drivers, where Verilator sees none: {found[0].strip()}")
