"""Say what a network takes of DEVICE=, how fast it is there, and whether that was synthesised or placed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage_rtl.synthesise.devices import Device
from microstage_rtl.synthesise.place import Placed
from microstage_rtl.synthesise.resources import does_not_fit, taken

__all__ = ["report", "sentences"]

_MHZ = 1e6


def report(device: Device, cells: Mapping[str, int], cycles: int, placed: Placed | None) -> dict[str, Any]:
    """Return what resources.json holds: of one frame the measured `cycles`; times only where a clock was found."""
    takes = taken(cells, device)
    said: dict[str, Any] = {
        "device": device.name,
        "cells": dict(sorted(cells.items())),
        "takes": takes,
        "has": dict(device.has),
        "fits": does_not_fit(takes, device) or True,
        "cycles_per_frame": cycles,
    }
    if placed:
        said["placed"] = {
            "clock_mhz": round(placed.clock, 2),
            "used": {name: list(count) for name, count in sorted(placed.used.items())},
            "microseconds_per_frame": round(cycles / placed.clock, 2),
            "frames_per_second": round(placed.clock * _MHZ / cycles),
        }
    return said


def sentences(said: Mapping[str, Any], clock: float) -> list[str]:
    """Return lines for the person who waits; `clock` in MHz is what place and route aimed at."""
    of = said["has"]
    counts = ", ".join(f"{n:,}{f' of {of[name]:,}' if name in of else ''} {name}" for name, n in said["takes"].items())
    lines = [f"{said['device']}, synthesised: {counts}"]
    if said["fits"] is not True:
        lines.append(said["fits"])
    if placed := said.get("placed"):
        used = ", ".join(f"{used:,} of {there:,} {name}" for name, (used, there) in placed["used"].items())
        missed = "" if placed["clock_mhz"] >= clock else f", below the {clock:g} MHz that were asked for"
        lines.append(f"{said['device']}, placed: {used}; {placed['clock_mhz']:g} MHz{missed}")
        lines.append(
            f"{said['cycles_per_frame']:,.0f} cycles a frame: {placed['microseconds_per_frame']:,} us, "
            f"{placed['frames_per_second']:,} frames a second at that clock"
        )
    return lines
