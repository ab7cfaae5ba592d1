"""What the C needs, how it learnt, and where all of it came from."""

from __future__ import annotations

from typing import Any

from microstage_report.facts.run import PublishedRun

__all__ = ["code", "learning", "provenance"]

Row = dict[str, Any]
_BYTES = {"constant_bytes": "constants (flash)", "arena_bytes": "arena (RAM)"}
_LEAST = {"arena_bytes_at_least": "arena, the least any plan could need"}


def code(run: PublishedRun) -> list[Row]:
    """Return what the C takes of a machine, and its time on this one where that was measured; then FINN's estimate."""
    step = run.stage("cbackend")
    metrics = step.about["metrics"] if step else {}
    taken, least = (
        [{"what": what, "value": metrics[key], "unit": "bytes"} for key, what in names.items() if key in metrics]
        for names in (_BYTES, _LEAST)
    )
    times = [
        {"what": f"{name} on this machine, median", "value": time / 1000, "unit": "µs"}
        for name, time in run.latency.items()
    ]
    return [*taken, *times, *_on_fpga(run), *least]


def _on_fpga(run: PublishedRun) -> list[Row]:
    """Return what FINN estimates of each part of the network on the chosen FPGA."""
    step = run.stage("streamline")
    estimates = step.json("estimates.json") if step else {}
    return [
        {
            "what": f"{part} on {estimates['fpga_part']}, estimated",
            "value": said["frames_per_second"],
            "unit": "frames/s",
        }
        for part, said in estimates.get("parts", {}).items()
    ]


def learning(run: PublishedRun) -> list[Row]:
    """Return a row per epoch and figure of every phase of the training."""
    step = run.stage("train")
    phases = step.json("metrics.json").get("loss", {}) if step else {}
    return [
        {"epoch": epoch, "figure": f"{phase}: {figure}", "value": float(f"{value:.6g}")}
        for phase, epochs in phases.items()
        for epoch, figures in enumerate(epochs, 1)
        for figure, value in figures.items()
        if isinstance(value, int | float)
    ]


def provenance(run: PublishedRun) -> list[Row]:
    """Return the key, the recipe and the inputs of every stage, and where and how long it ran."""
    rows: list[Row] = []
    for step in run.steps:
        rows.append({"what": f"key of {step.stage}", "value": step.about["key"]})
        rows.append({"what": f"recipe of {step.stage}", "value": step.about["recipe"]["digest"]})
        rows += [{"what": f"{name} of {step.stage}", "value": mark} for name, mark in step.about["inputs"].items()]
        if ran := step.ran:
            said = f"{ran.get('seconds', '?')} s on {ran.get('machine', '?')}, {ran.get('backend', '?')}"
            rows.append({"what": f"run of {step.stage}", "value": said})
    return rows
