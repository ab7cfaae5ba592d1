"""Place and route a netlist with nextpnr, and pack its bitstream."""

from __future__ import annotations

import json
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import ModelError
from microstage_rtl.synthesise.devices import Device
from microstage_rtl.synthesise.yosys import Netlist
from microstage_rtl.tools import wasm

__all__ = ["Placed", "place"]

_PLACED, _BITS = {"ecp5": "--textcfg", "ice40": "--asc"}, {"ecp5": "ecppack", "ice40": "icepack"}


@dataclass(frozen=True)
class Placed:
    """What nextpnr says: the highest clock in MHz, {kind of place: (used, there)}, and the bitstream.

    `seconds` that nextpnr took, by the clock and of a core.
    """

    clock: float
    used: dict[str, tuple[int, int]]
    bitstream: Path
    seconds: tuple[float, float]


def place(netlist: Netlist, device: Device, clock: float, logs: Path) -> Placed:
    """Place and route for `clock` MHz, which it may miss; raise `ModelError` where there is no room."""
    words = [*device.place, "--json", "netlist.json", _PLACED[device.family], "placed.txt", "--report", "placed.json"]
    words += ["--freq", f"{clock:g}", "--seed", "1", "--timing-allow-fail"]
    begun = _seconds()
    try:
        wasm.run(f"nextpnr-{device.family}", words, netlist.folder, logs / "nextpnr.txt")
        took = _seconds()
        wasm.run(_BITS[device.family], ["placed.txt", "network.bit"], netlist.folder, logs / "pack.txt")
    except wasm.ToolFailed as failed:
        raise ModelError(f"nextpnr places no {netlist.top} on {device.name}: {_reason(failed)}") from None
    said = json.loads((netlist.folder / "placed.json").read_text())
    used = {name: (count["used"], count["available"]) for name, count in said["utilization"].items() if count["used"]}
    fastest = min((found["achieved"] for found in said["fmax"].values()), default=0.0)
    seconds = took[0] - begun[0], took[1] - begun[1]
    return Placed(fastest, used, netlist.folder / "network.bit", seconds)


def _seconds() -> tuple[float, float]:
    """Return the clock, and what programs that have ended took of a core so far."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic(), ended.ru_utime + ended.ru_stime


def _reason(failed: wasm.ToolFailed) -> str:
    """Return the first error of the end of what nextpnr said."""
    lines = str(failed).splitlines()
    return next((line for line in lines if line.startswith("ERROR")), lines[-1])
