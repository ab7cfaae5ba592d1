"""What the packages of `microstage.models` add to the stages: parameters, hooks, and the form of what is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from microstage import models
from microstage.errors import ParameterError
from microstage_runner.declarations.parameter import Parameter, parameter
from microstage_runner.declarations.stages import Stage
from microstage_runner.declarations.user_module import UserModule

__all__ = ["form", "hook_files", "trained_on", "with_model_parameters"]


def with_model_parameters(stage: Stage, own: UserModule | None = None, others: Iterable[Stage] = ()) -> Stage:
    """Return `stage` with every family's parameters, the user's `own` among them, if it is the one that has `model` and
    leaves its choices open.
    """
    chooser = stage.parameters.get("model")
    if chooser is None or chooser.choices is not None:
        return stage
    known = {model: _declared(package, model) for model, package in models.models().items()}
    if own is not None:
        known[own.name] = _checked(own, stage, others)
    joined = {**stage.parameters, "model": replace(chooser, choices=tuple(known))}
    for model, declared in known.items():
        for name, fields in declared.items():
            joined[name] = _add(joined.get(name), name, fields, model, inherited=name in stage.parameters)
    return replace(stage, parameters=joined)


def _declared(package: Any, model: str) -> dict[str, dict[str, Any]]:
    """Return a family's parameters as one of its models has them: with other defaults, or fields of its own."""
    own: Mapping[str, Any] = package.MODELS[model]
    declared = {name: dict(fields) for name, fields in package.PARAMETERS.items()}
    for name, value in own.items():
        declared.setdefault(name, {}).update(value if isinstance(value, Mapping) else {"default": value})
    return declared


def _checked(own: UserModule, stage: Stage, others: Iterable[Stage]) -> dict[str, dict[str, Any]]:
    """Return the user's parameters; raise `ParameterError` for one that says too little, or whose default it would not
    let be typed.
    """
    for name, fields in own.parameters.items():
        elsewhere = [other.name for other in others if name in other.parameters]
        if elsewhere:
            raise ParameterError(f"PARAMETERS in {own.path.name} has {name}, which belongs to {elsewhere[0]}.")
        known = stage.parameters[name].fields() if name in stage.parameters else {}
        lacking = [field for field in ("type", "default", "summary") if field not in {**known, **fields}]
        if lacking:
            raise ParameterError(f"PARAMETERS in {own.path.name}: {name} has no {lacking[0]}.")
        try:
            declared = parameter(name, {**known, **fields})
            allowed = declared.parse(str(declared.default)) == declared.default
        except (KeyError, TypeError, ValueError, ParameterError):
            allowed = False
        if not allowed:
            raise ParameterError(
                f"PARAMETERS in {own.path.name}: {name} has default {fields['default']!r},"
                " which its own fields do not allow."
            )
    return {name: dict(fields) for name, fields in own.parameters.items()}


def _add(known: Parameter | None, name: str, fields: dict[str, Any], model: str, inherited: bool) -> Parameter:
    """Return the parameter, which `model` narrows by `fields`; one that the stage does not have itself belongs to the
    models that name it.
    """
    if known is None:
        known = replace(parameter(name, fields), models=())
    owners = known.models if inherited else (*(known.models or ()), model)
    own = parameter(name, {**known.fields(), **fields} if inherited else fields)
    choices = _union(known, own) if inherited else known.choices
    return replace(known, models=owners, choices=choices, narrowed={**known.narrowed, model: own})


def _union(known: Parameter, own: Parameter) -> tuple[Any, ...] | None:
    return tuple(dict.fromkeys([*(known.choices or ()), *own.choices])) if own.choices else known.choices


def hook_files(model: str, stage: str, shared: Path) -> list[Path]:
    """Return the module that `stage` asks for of the family of `model`, and what else its package holds for it; none
    for a stage that asks none.
    """
    package = models.models().get(model)
    if package is None:
        return []
    path = shared.joinpath(*package.__name__.split("."), f"{stage}.py")
    return [path, path.with_name("__init__.py")] if path.is_file() else []


def trained_on(stages: Mapping[str, Stage], dataset: str) -> str | None:
    """Return a model that can be trained on `dataset`; None if there is none."""
    known = [p for stage in stages.values() for name, p in stage.parameters.items() if name == "dataset"]
    return next((model for p in known for model, own in p.narrowed.items() if dataset in (own.choices or ())), None)


def form(model: str) -> str:
    """Return which of a stage's forms of output `model` takes; "" where no family says so."""
    package = models.models().get(model)
    return package.FORM if package else ""
