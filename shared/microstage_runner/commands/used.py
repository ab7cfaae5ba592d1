"""Which variables each command uses: one that it would ignore ends it with one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from microstage.errors import ParameterError
from microstage_runner.commands.table import CHECKOUT, COMMANDS, MACHINE, RUN, used_by_stages
from microstage_runner.declarations.selection import SETTINGS
from microstage_runner.declarations.stages import Stage, needed

__all__ = ["assert_parameters_used", "assert_settings_used", "settings_of"]


def assert_settings_used(name: str, typed: Mapping[str, str]) -> None:
    """Raise `ParameterError` for a setting that the command `name` does not use; for any variable, where it is about
    no run.

    MEMORY, PYTHON, RUNNER, VENDOR and VOLUMES say what a machine is like, and may stand on every line, as DRY does.
    """
    usable, about = settings_of(name), _about(name)
    for variable, value in typed.items():
        said_twice = variable == "STAGE" and value == name
        if variable in usable or said_twice:
            continue
        if variable in SETTINGS or about in (MACHINE, CHECKOUT):
            raise ParameterError(f"{variable}={value} is nothing that `make {name}` uses: leave it out.")


def settings_of(name: str) -> tuple[str, ...]:
    """Return the settings that may stand on the line of the command `name`, those of the machine last."""
    command = COMMANDS.get(name)
    machine = ("VENDOR", "PYTHON") if _about(name) == CHECKOUT else ("RUNNER", "VOLUMES", "MEMORY", "VENDOR", "PYTHON")
    return (*(command.uses if command else used_by_stages), "DRY", *machine)


def _about(name: str) -> str:
    return COMMANDS[name].about if name in COMMANDS else RUN


def assert_parameters_used(name: str, target: str, typed: Mapping[str, str], stages: Mapping[str, Stage]) -> None:
    """Raise `ParameterError` for a parameter of a stage that `target`, the last of the command
    `name`, does not need.
    """
    reached = {stage.name for stage in needed(stages, target)}
    owners = {p.variable: stage.name for stage in stages.values() for p in stage.parameters.values()}
    for variable, owner in owners.items():
        if variable in typed and owner not in reached:
            given = f"{variable}={typed[variable]}"
            raise ParameterError(f"{given} belongs to {owner}, which `make {name}` does not reach: leave it out.")
