"""`make compare MODEL=lenet`: what the float network, the quantised one, and integers in NumPy, in C and in the
interpreter answer to every test example, side by side. With RUNS=, trainings beside each other (`compare_runs`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microstage.errors import ParameterError, VerificationError
from microstage.process.text_table import table
from microstage_runner.artefacts.inputs import opened
from microstage_runner.artefacts.places import Place
from microstage_runner.commands.compare_runs import compare_runs
from microstage_runner.commands.planned import Planned, up_to
from microstage_runner.declarations.stages import CODE, INTEGERS, TRAINING, of_role
from microstage_runner.engines.stage_run import StageRun
from microstage_runner.pipeline.page import print_page
from microstage_runner.pipeline.pipeline import Pipeline
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.session import Session

__all__ = ["command", "planned"]

_FLOATS, _INTEGERS = "microstage.models.floats.answers", "microstage_cbackend.answering"


def planned(session: Session) -> list[Planned]:
    """Return the run whose network is compared with itself; for RUNS= nothing is made."""
    if "RUNS" in session.typed:
        return []
    _require_floats(session)
    return up_to(session, of_role(session.stages, CODE))


def command(session: Session) -> None:
    """Make what is missing, answer every test example in each form, and print the table.

    Raise `VerificationError` where two forms in integers differ.
    """
    if "RUNS" in session.typed:
        return compare_runs(session)
    _require_floats(session)
    pipeline = session.pipeline(loud=True)
    steps = pipeline.run(of_role(session.stages, CODE))
    found = _compared(pipeline, {step.stage.role: step for step in steps})
    print("\n" + "\n".join(_lines(found)))
    if found["differing"]:
        raise VerificationError(f"{found['differing']} integers differ between {', '.join(found['integers'])}.")
    print_page(steps)


def _require_floats(session: Session) -> None:
    """Raise `ParameterError` for a network that is not trained in floats."""
    chosen = next((own for own in session.parameters.values() if "model" in own), {})
    if "quantise" not in chosen:
        given = f"MODEL={chosen['model']}" if chosen else f"ONNX={session.typed.get('ONNX', '')}"
        raise ParameterError(
            f"{given} is not trained in floats here: `make compare` is for networks that are, such as MODEL=lenet."
        )


def _compared(pipeline: Pipeline, steps: Mapping[str, PublishedStep]) -> dict[str, Any]:
    trained, integers, code = (steps[role] for role in (TRAINING, INTEGERS, CODE))
    with Place(pipeline.store.volumes, "compare") as place, opened(trained.inputs, "compare ran") as folders:
        given = {**folders, "trained": trained.artefact.checked()}
        answers = _run(pipeline, trained, _FLOATS, given, place / "floats")
        made = {"streamline": integers.artefact.checked(), "cbackend": code.artefact.checked(), "answers": answers}
        return json.loads((_run(pipeline, code, _INTEGERS, made, place / "integers") / "compared.json").read_text())


def _lines(found: Mapping[str, Any]) -> list[str]:
    """Return a table with a row a form: its accuracy, and in how many examples each other one answers differently."""
    forms, examples = found["forms"], found["examples"]
    rows = [
        [
            form["name"],
            f"{100 * form['correct'] / examples:.2f} %",
            *(f"{count:,}" if other is not form else "" for other, count in zip(forms, form["other_class"])),
        ]
        for form in forms
    ]
    head = [f"of {examples:,} test examples", "accuracy", *(f"not as {form['name']}" for form in forms)]
    equal = found["compared"] - found["differing"]
    return [
        *table(head, rows),
        "",
        f"integers of {', '.join(found['integers'])}: {equal:,} of {found['compared']:,} equal",
    ]


def _run(pipeline: Pipeline, step: PublishedStep, module: str, inputs: Mapping[str, Path], place: Path) -> Path:
    """Run a module in the environment of the step's stage, with its parameters; return what it wrote."""
    output, scratch = place / "output", place / "scratch"
    for folder in (output, scratch):
        folder.mkdir(parents=True)
    run = StageRun(step.stage, inputs, step.about["parameters"], output, scratch, module)
    code = pipeline.backend.run(run)
    if code:
        raise pipeline.store.failed("compare", scratch, code, "Nothing was compared; the reason is above.")
    return output
