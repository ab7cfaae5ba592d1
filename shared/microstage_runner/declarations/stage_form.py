"""The form of a `stage.toml`: which entries it may have, and of which type each is."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from microstage.errors import ParameterError
from microstage.untrusted.printable import shown

__all__ = ["read_declared"]

_NUMBERS, _LARGEST = (int, float), 2**63
_TYPES = {"int": int, "float": _NUMBERS, "str": str, "bool": bool, "name": str, "file": str, "json": str}
"Of a parameter's default, by its type."
_STAGE = {"name": str, "python": str, "summary": str, "outputs": dict}
_STAGE_MAY = {"role": str, "optional": bool, "resources": dict, "inputs": dict, "parameters": dict, "user_input": dict}
_PARAMETER = {"type": str, "default": (str, bool, *_NUMBERS), "summary": str}
_LIMITS = {"min": _NUMBERS, "max": _NUMBERS, "exclusive_min": bool, "choices": list}
_PARAMETER_MAY = {**_LIMITS, "models": list, "unit": str, "suffix": str}
_INPUT, _INPUT_MAY = {"from": str}, {"summary": str}
_USER_INPUT, _USER_INPUT_MAY = {"summary": str, "form": str, "files": dict}, {"parameters": dict}
_RESOURCES = {"cores": int, "memory_mib": int}
_Types = Mapping[str, Any]


def read_declared(path: Path) -> dict[str, Any]:
    """Return what a `stage.toml` holds; `ParameterError` names the first entry that is not in its form."""
    try:
        declared = tomllib.loads(path.read_text())
    except ValueError as error:
        raise ParameterError(f"{path} is no TOML: {' '.join(str(error).split())}.") from None
    try:
        _stage(declared)
    except _Wrong as wrong:
        raise ParameterError(f"{path}: {wrong}.") from None
    return declared


class _Wrong(Exception):
    """Which entry is wrong, and what is expected there."""


def _stage(declared: Mapping[str, Any]) -> None:
    _formed("", declared, _STAGE, _STAGE_MAY)
    _formed("resources", declared.get("resources", {}), {}, _RESOURCES)
    if any(value < 1 for value in declared.get("resources", {}).values()):
        raise _Wrong("resources are whole numbers from 1 on")
    _each("inputs", declared, lambda name, said: _formed(name, said, _INPUT, _INPUT_MAY))
    _each("outputs", declared, _output)
    _each("parameters", declared, _parameter)
    _each("user_input", declared, _user_input)


def _each(name: str, table: Mapping[str, Any], check: Callable[[str, Any], None]) -> None:
    for key, said in table.get(name, {}).items():
        check(f"{name}.{key}", said)


def _formed(name: str, table: Any, must: _Types, may: _Types) -> None:
    """Raise `_Wrong` unless `table` has every entry of `must`, and none that is in neither."""
    if not isinstance(table, dict):
        raise _Wrong(f"{name} is {shown(table)}; expected a table")
    known = {**must, **may}
    for key, value in table.items():
        where = f"{name}.{key}".lstrip(".")
        if key not in known:
            raise _Wrong(f"{where} is no entry; expected some of {', '.join(known)}")
        if not _is_of(value, known[key]):
            raise _Wrong(f"{where} is {shown(value)}, which is of another type than this entry")
    for key in must:
        if key not in table:
            raise _Wrong(f"{name or 'the file'} has no entry {key}")


def _is_of(value: Any, types: Any) -> bool:
    allowed = types if isinstance(types, tuple) else (types,)
    return type(value) in allowed  # True is no number here


def _output(name: str, said: Any) -> None:
    if isinstance(said, dict):
        _formed(name, said, {}, dict.fromkeys(said, str))
    elif not isinstance(said, str):
        raise _Wrong(f"{name} is {shown(said)}; expected a sentence, or a table of such")


def _parameter(name: str, said: Any) -> None:
    _formed(name, said, _PARAMETER, _PARAMETER_MAY)
    kind, default = said["type"], said["default"]
    if kind not in _TYPES:
        raise _Wrong(f"{name}.type is {shown(kind)}; expected one of {', '.join(_TYPES)}")
    if not _is_of(default, _TYPES[kind]):
        raise _Wrong(f"{name}.default is {shown(default)}, which is no {kind}")
    if kind in ("int", "float") and abs(default) >= _LARGEST:
        raise _Wrong(f"{name}.default is {shown(default)}; expected one of less than 2^63")
    for key, types in (("choices", (str, bool, *_NUMBERS)), ("models", str)):
        if not all(_is_of(value, types) for value in said.get(key, [])):
            raise _Wrong(f"{name}.{key} is {shown(said[key])}; expected a list of single values")


def _user_input(name: str, said: Any) -> None:
    _formed(name, said, _USER_INPUT, _USER_INPUT_MAY)
    _formed(f"{name}.files", said["files"], {}, dict.fromkeys(said["files"], str))
    _each("parameters", said, lambda key, fields: _parameter(f"{name}.{key}", fields))
