"""What came of one point of a sweep: accuracy, effort, integers compared, size, hardware."""

from __future__ import annotations

import json
from collections.abc import Sequence

from microstage_runner.declarations.family_modules import report_of
from microstage_runner.pipeline.step import PublishedStep

__all__ = ["figures"]


def figures(steps: Sequence[PublishedStep]) -> dict[str, str]:
    """Return what came of one run, by column; networks of different kinds have different ones."""
    trained = steps[0].artefact.about
    told = {name: value for step in steps for name, value in step.artefact.about["metrics"].items()}
    quality = report_of(trained["parameters"]).columns(trained["metrics"], told)
    proofs = [proof for step in steps for proof in step.artefact.about["verification"]]
    compared, equal, ties = (sum(proof[k] for proof in proofs) for k in ("compared", "equal", "explained_ties"))
    integers = {
        "integers compared": f"{compared:,}",
        "differing": f"{compared - equal - ties:,}",
        "explained ties": f"{ties:,}",
    }
    return {**quality, **_effort(steps[0]), **integers, **_size(steps[0]), **_hardware(steps)}


def _effort(trained: PublishedStep) -> dict[str, str]:
    epochs, seconds = trained.artefact.about["parameters"].get("epochs"), trained.artefact.run.get("seconds")
    return {"epochs": "-" if epochs is None else str(epochs), "seconds": "-" if seconds is None else f"{seconds:.0f}"}


def _size(trained: PublishedStep) -> dict[str, str]:
    file = trained.artefact.checked() / "model_def.json"
    described = json.loads(file.read_text()) if file.exists() else {}
    return {
        short: f"{described[name]:,}"
        for short, name in (("weights", "weights"), ("MAC", "multiply_accumulates"))
        if name in described
    }


def _hardware(steps: Sequence[PublishedStep]) -> dict[str, str]:
    """Return FINN's estimates: cycles of the slowest layer of any part; LUT, BRAM and DSP of all parts together, which
    are the least there can be where a column says how many layers are not in them.

    None of them where FINN could estimate nothing of the network.
    """
    for step in steps:
        file = step.artefact.checked() / "estimates.json"
        if file.exists():
            parts = json.loads(file.read_text())["parts"].values()
            if not parts:
                break
            sums = {name: sum(part["resources"][kind] for part in parts) for name, kind in _RESOURCES.items()}
            slowest = max(part["slowest_layer_cycles"] for part in parts)
            counted = {name: f"{round(value):,}" for name, value in sums.items()}
            missing = sum(sum(part.get("not_estimated", {}).values()) for part in parts)
            return {"slowest layer": f"{slowest:,}", **counted, **({_MISSING: f"{missing:,}"} if missing else {})}
    return {}


_MISSING = "layers not estimated"
_RESOURCES = {"LUT": "LUT", "BRAM": "BRAM_18K", "DSP": "DSP"}
