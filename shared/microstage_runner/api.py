"""The public API: `microstage.compile` makes an artefact as `make` does, and returns it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from microstage.errors import ParameterError
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.commands.used import assert_settings_used
from microstage_runner.engines import offline
from microstage_runner.process import REPOSITORY
from microstage_runner.session import Session

__all__ = ["Artefact", "compile"]


def compile(model: str | Path, target: str = "cbackend", **variables: object) -> Artefact:
    """Make everything up to the stage `target` that is not done yet, and return the artefact of that stage.

    `model` is a file that something else wrote (.onnx, .tflite), a module of the user's own (.py), or the name of a
    network of this checkout. `variables` are those of `make`, in small letters or capitals:
    compile("ecg.onnx", target="cbackend", name="ecg", volumes="/data/volumes").

    Raise `microstage.errors.MicrostageError` for whatever ends `make` with one sentence; nothing half-made is
    published.
    """
    door = "ONNX" if str(model).endswith((".onnx", ".tflite")) else "MODEL"
    typed = {name.upper(): _text(value) for name, value in variables.items()} | {door: str(model)}
    if "DRY" in typed:
        raise ParameterError("dry= is for commands, as it returns no artefact: `make` and `microstage` take DRY=1.")
    offline.choose(typed.get("VENDOR"))
    assert_settings_used(target, typed)
    session = Session.of(target, REPOSITORY, typed)
    if target not in session.stages:
        raise ParameterError(f"target={target} is not a stage: expected one of {', '.join(session.stages)}.")
    pipeline = session.pipeline(loud=True)
    steps = pipeline.run(target, force=typed.get("FORCE") == "1")
    return replace(steps[-1].artefact, steps=steps, pipeline=pipeline)


def _text(value: object) -> str:
    """Return a value as it would be typed."""
    return str(int(value)) if isinstance(value, bool) else str(value)
