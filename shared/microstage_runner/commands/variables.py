"""`make variables`: every variable of every stage: default, what is allowed, one sentence; then
those of the commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from microstage_runner.declarations.parameter import Parameter
from microstage_runner.declarations.selection import SETTINGS
from microstage_runner.declarations.stages import Stage
from microstage_runner.session import Session

__all__ = ["command", "variables"]


def command(session: Session) -> None:
    """Print the variables of the stages, then those of the commands."""
    print(variables(session.stages))
    print("\n".join(["commands:", *(f"  {name + '=':28} {said}." for name, said in SETTINGS.items())]))


def variables(stages: Mapping[str, Stage]) -> str:
    """Return a line for each make variable of every stage."""
    lines = []
    for stage in stages.values():
        lines.append(f"{stage.name}: {stage.summary}")
        for p in stage.parameters.values():
            lines += [_variable(own, models) for own, models in _variants(p)]
        if given := stage.user_input:
            alone = f" With {given.variables[0]}= alone."
            lines += [_variable(own, []) + alone for own in given.parameters.values()]
    return "\n".join(lines)


def _variants(parameter: Parameter) -> list[tuple[Parameter, list[str]]]:
    """Return the forms that a parameter takes, each with the models that have it so; no models
    for one that all share.
    """
    if not parameter.narrowed:
        return [(parameter, list(parameter.models or ()))]
    variants: list[tuple[Parameter, list[str]]] = []
    for model, own in parameter.narrowed.items():
        same = next((models for known, models in variants if known == own), None)
        if same is None:
            variants.append((own, [model]))
        else:
            same.append(model)
    return variants


def _variable(parameter: Parameter, models: Sequence[str]) -> str:
    only = f" (MODEL={'|'.join(models)})" if models else ""
    typed = f"{parameter.variable}={parameter.default}"
    return f"  {typed:28} {parameter.summary} Allowed: {parameter.allowed()}{only}."
