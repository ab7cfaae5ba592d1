"""Which variables each command uses: one that it would ignore ends it with one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from microstage.errors import ParameterError
from microstage_runner.declarations.stages import Stage, needed

__all__ = ["assert_parameters_used", "assert_settings_used"]

_WHERE = ("HOST", "STAGES_ON")
_RUN = (*_WHERE, "DATA_DIR", "ONNX", "GOLDEN", "RUN")
"What chooses a run, beside the parameters of the stages, and where it is."
_KEYS = ("PUBLIC_KEY", "SIGNING_KEY")
"Whose signature counts; the second signs as well."
_MADE = (*_RUN, *_KEYS, "REGISTRY")
"The same of commands that make what is missing."

_OF_A_RUN = {
    "path": (*_RUN, "STAGE"), "why": (*_RUN, "STAGE"), "verify": (*_RUN, *_KEYS, "STAGE"), "report": (*_RUN, "STAGE"),
    "sign": (*_RUN, "SIGNING_KEY", "STAGE"),
    "push": (*_RUN, "PUBLIC_KEY", "REGISTRY", "STAGE"), "pull": (*_RUN, "PUBLIC_KEY", "REGISTRY", "STAGE"),
    "reproduce": (*_MADE, "STAGE"), "sweep": (*_MADE, "STAGE"),
    "pack": (*_MADE, "STAGE", "BUNDLE", "IMAGE"), "binfiles": (*_MADE, "ENCODING"),
    "accuracy": (*_WHERE, *_KEYS, "DATA_DIR", "NOMINAL", "REGISTRY"),
    "estimate-file": (*_WHERE, "DATA_DIR", "FILE", "ONNX", "PUBLIC_KEY", "RUN"),
    "ready": (*_WHERE, *_KEYS, "DATA_DIR", "REGISTRY"),
    "bench": (*_MADE, "AGAINST", "BASELINE", "CC", "ROUNDS", "TFLITE"), "prove": (*_MADE, "SECONDS", "VECTORS"),
    "footprint": (*_MADE, "TFLITE"),
}  # fmt: skip
_STAGE = (*_MADE, "FORCE")
"What every stage uses that is asked for, and a training that goes on."
_ALONE = {
    "images": (), "base": (), "environments": (), "doctor": (), "vendor": (), "runs": (),
    "unpack": ("BUNDLE", "TRUST", *_KEYS), "variables": ("MODEL",), "data": ("DATASET",), "sbom": ("STAGE", *_WHERE),
}  # fmt: skip
"Commands that are about no run: what they name is all that they use, parameters of stages included."
_OF_THE_CHECKOUT = {
    "test": ("TESTS",),
    "lint": ("ONLY", "FIX"),
    "bench-setup": (),
    "bench-kernels": (),
    "bench-lstm": (),
    "bench-bnn": (),
}
"Commands that use nothing else, not even the folder of artefacts."


def assert_settings_used(command: str, typed: Mapping[str, str], known: Iterable[str]) -> None:
    """`ParameterError` for one of the settings `known` that `command` does not use; for any variable, where it is
    about no run.

    MEMORY, PYTHON, RUNNER, VENDOR and VOLUMES say what a machine is like, and may stand on every line.
    """
    bare = command in _OF_THE_CHECKOUT
    machine = ("PYTHON", "VENDOR") if bare else ("PYTHON", "VENDOR", "MEMORY", "RUNNER", "VOLUMES")
    used = {*machine, *{**_OF_A_RUN, **_ALONE, **_OF_THE_CHECKOUT}.get(command, _STAGE)}
    for name in typed:
        said_twice = name == "STAGE" and typed[name] == command
        if name not in used and not said_twice and (name in known or bare or command in _ALONE):
            raise ParameterError(f"{name}={typed[name]} is nothing that `make {command}` uses: leave it out.")


def assert_parameters_used(command: str, target: str, typed: Mapping[str, str], stages: Mapping[str, Stage]) -> None:
    """`ParameterError` for a parameter of a stage that `target` does not need."""
    reached = {stage.name for stage in needed(stages, target)}
    owners = {p.variable: stage.name for stage in stages.values() for p in stage.parameters.values()}
    for name, owner in owners.items():
        if name in typed and owner not in reached:
            raise ParameterError(
                f"{name}={typed[name]} belongs to {owner}, which `make {command}` does not reach: leave it out."
            )
