"""What the network takes of an FPGA, as the `rtl` stage counted it."""

from __future__ import annotations

from typing import Any

from microstage_report.facts.run import PublishedRun

__all__ = ["device"]

_SHOWN = {"clock_mhz": ("clock", "MHz"), "microseconds_per_frame": ("time of a frame", "µs")}
_SHOWN |= {"frames_per_second": ("frames", "1/s")}


def device(run: PublishedRun) -> dict[str, Any] | None:
    """Return figures, and a row for each resource: how many of it, of how many there are.

    Clock and times are there where the network was placed and routed.
    """
    step = run.stage("rtl")
    said = step.json("resources.json") if step else {}
    if not step or not said:
        return None
    placed = said.get("placed", {})
    tiles = [{"what": "clocks of a frame, simulated", "value": said["cycles_per_frame"], "unit": ""}]
    tiles += [
        {"what": what, "value": placed[key], "unit": unit} for key, (what, unit) in _SHOWN.items() if key in placed
    ]
    return {
        "device": said["device"],
        "how": "placed and routed" if placed else "synthesised",
        "misfit": "" if said["fits"] is True else said["fits"],
        "tiles": tiles,
        "rows": [_row(name, count, said["has"].get(name)) for name, count in said["takes"].items()],
    }


def _row(name: str, count: int, there: int | None) -> dict[str, Any]:
    share = {"there": there, "share": round(100 * count / there, 1)} if there else {}
    return {"resource": name, "taken": count, **share}
