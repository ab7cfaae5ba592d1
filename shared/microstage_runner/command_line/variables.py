"""The variables of one command, as its help lists them and a shell completes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from microstage_runner.commands.table import COMMANDS, RUN
from microstage_runner.commands.used import settings_of
from microstage_runner.declarations.parameter import Parameter
from microstage_runner.declarations.selection import SETTINGS
from microstage_runner.declarations.stages import Stage, last, needed

__all__ = ["Variable", "variables_of"]

_OF_MAKE = ("PYTHON",)
_WORDS = {"RUNNER": ("docker", "local", "auto")}
_MANY = 4


@dataclass(frozen=True)
class Variable:
    """One variable: what it is called on a command line, what is said of it, its values where they can be listed, and
    whether its option may stand without a value.
    """

    name: str
    group: str
    about: str
    values: tuple[str, ...] = ()
    switch: bool = False

    @property
    def option(self) -> str:
        return "--" + self.name.lower().replace("_", "-")


def variables_of(command: str, stages: Mapping[str, Stage]) -> list[Variable]:
    """Return what may be typed for `command`: its settings, then the parameters of the stages that it reaches."""
    declared = {variable.name: variable for variable in _parameters(stages, _last_of(command, stages))}
    found = [_setting(name, stages, declared) for name in settings_of(command) if name not in _OF_MAKE]
    of_a_run = command not in COMMANDS or COMMANDS[command].about == RUN
    named = {variable.name for variable in found}
    return found + [one for name, one in declared.items() if of_a_run and name not in named]


def _last_of(command: str, stages: Mapping[str, Stage]) -> str:
    """Return the last stage that the command may reach."""
    role = COMMANDS[command].last if command in COMMANDS else ""
    found = next((stage.name for stage in stages.values() if role and stage.role == role), last(stages))
    return command if command in stages else found


def _setting(name: str, stages: Mapping[str, Stage], declared: Mapping[str, Variable]) -> Variable:
    if name not in SETTINGS:
        return declared[name]
    about = SETTINGS[name]
    values = tuple(stages) if name == "STAGE" else _WORDS.get(name, ())
    return Variable(name, "settings", about, values, switch=about.startswith("1 ") or ": 1 " in about)


def _parameters(stages: Mapping[str, Stage], last: str) -> Iterator[Variable]:
    for stage in needed(stages, last):
        own = stage.user_input.parameters if stage.user_input else {}
        for parameter in {**stage.parameters, **own}.values():
            yield _of(parameter, f"parameters of {stage.name}")


def _of(parameter: Parameter, group: str) -> Variable:
    models = parameter.models or ()
    of = f" (of {', '.join(models)})" if 0 < len(models) <= _MANY else f" (of {len(models)} networks)" if models else ""
    allowed = parameter.allowed() if not parameter.choices or len(parameter.choices) <= _MANY else "see `variables`"
    about = f"{parameter.summary} Default: {parameter.default}; {allowed}{of}."
    return Variable(
        parameter.variable, group, about, tuple(map(str, parameter.choices or ())), switch=parameter.type == "bool"
    )
