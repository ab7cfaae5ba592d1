"""`make sweep NAME=a,b,c ...`: every combination of the listed values, one after another, and one table of what came of
each.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from microstage.errors import MicrostageError, ParameterError
from microstage.process.text_table import table
from microstage_runner.declarations.family_modules import report_of
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.session import Session

__all__ = ["combinations", "command", "sweep"]

_HARNESS = ("DATA_DIR", "VOLUMES", "STAGE", "PUBLIC_KEY", "SIGNING_KEY")


def command(typed: dict[str, str], repository: Path) -> int:
    """Run every combination up to STAGE=, by default the stage that makes integers; return 1 if any failed."""

    def run(chosen: dict[str, str]) -> Sequence[PublishedStep]:
        session = Session.of("sweep", repository, chosen)
        return session.pipeline().run(session.stage(default=session.last_of("sweep")))

    return sweep(typed, run)


def combinations(typed: Mapping[str, str]) -> tuple[list[str], list[dict[str, str]]]:
    """Return (names that vary, what is typed for each run); `ParameterError` when nothing varies."""
    listed = {name: value.split(",") for name, value in sorted(typed.items()) if "," in value and name not in _HARNESS}
    if not listed:
        raise ParameterError("make sweep needs a list, such as CYCLES=0.25,0.5,1.")
    runs = [{**typed, **dict(zip(listed, values))} for values in itertools.product(*listed.values())]
    return list(listed), runs


def sweep(typed: Mapping[str, str], run: Callable[[dict[str, str]], Sequence[PublishedStep]]) -> int:
    """Call `run` with each combination, and print a table of what came of each; return 1 if any failed.

    A run that fails is named in its row, and the others go on.
    """
    varied, runs = combinations(typed)
    rows: list[dict[str, str]] = []
    for index, chosen in enumerate(runs, 1):
        values = {name: chosen[name] for name in varied}
        print(f"sweep: {index} of {len(runs)}: {' '.join(f'{n}={v}' for n, v in values.items())}", flush=True)
        try:
            rows.append({**values, **_row(run(chosen))})
        except MicrostageError as error:
            print(f"microstage: {error}", flush=True)
            rows.append({**values, _FAILED: "yes"})
    head = [*dict.fromkeys(name for row in rows for name in row)]
    print("\n" + "\n".join(table(head, [[row.get(name, "") for name in head] for row in rows])))
    return 1 if _FAILED in head else 0


_FAILED = "failed"


def _row(steps: Sequence[PublishedStep]) -> dict[str, str]:
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
    described = json.loads((trained.artefact.checked() / "model_def.json").read_text())
    return {
        short: f"{described[name]:,}"
        for short, name in (("weights", "weights"), ("MAC", "multiply_accumulates"))
        if name in described
    }


def _hardware(steps: Sequence[PublishedStep]) -> dict[str, str]:
    """Return FINN's estimates: cycles of the slowest layer of any part; LUT, BRAM and DSP of all parts together."""
    for step in steps:
        file = step.artefact.checked() / "estimates.json"
        if file.exists():
            parts = json.loads(file.read_text())["parts"].values()
            sums = {name: sum(part["resources"][kind] for part in parts) for name, kind in _RESOURCES.items()}
            slowest = max(part["slowest_layer_cycles"] for part in parts)
            return {"slowest layer": f"{slowest:,}", **{name: f"{round(value):,}" for name, value in sums.items()}}
    return {}


_RESOURCES = {"LUT": "LUT", "BRAM": "BRAM_18K", "DSP": "DSP"}
