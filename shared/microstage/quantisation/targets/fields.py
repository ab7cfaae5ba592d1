"""JSON values as the fields of a dataclass; what does not fit is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from microstage.errors import ParameterError

__all__ = ["read_fields"]

_Made = TypeVar("_Made")
_KINDS = {int: "a whole number", bool: "true or false", str: "text"}


def read_fields(kind: type[_Made], described: Mapping[str, Any], within: str = "") -> _Made:
    """Return a `kind` of values by the names of its fields.

    Raise `ParameterError` for a field that is missing, unknown, of another type, or none of its metadata's `words`.
    """
    known, types = {one.name: one for one in fields(kind)}, get_type_hints(kind)  # type: ignore[arg-type]
    for name in described:
        if name not in known:
            raise ParameterError(f"{within}{name} is no field; expected {', '.join(known)}")
    for name, one in known.items():
        if name not in described and one.default is MISSING:
            raise ParameterError(f"{within}{name} is missing")
    return kind(**{name: _value(known[name], types[name], value, within + name) for name, value in described.items()})


def _value(one: Field[Any], kind: Any, value: Any, name: str) -> Any:
    if get_origin(kind) in (UnionType, Union):
        kind = get_args(kind)[0]
        if value is None:
            return None
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ParameterError(f"{name} is {value!r}; expected an object of fields")
        return read_fields(kind, value, f"{name}.")  # type: ignore[arg-type]
    words = one.metadata.get("words")
    if words and value not in words:
        raise ParameterError(f"{name} is {value!r}; expected one of {', '.join(words)}")
    return _numbers(kind, value, name) if get_origin(kind) is tuple else _plain(kind, value, name)


def _plain(kind: type, value: Any, name: str) -> Any:
    if type(value) is not kind:
        raise ParameterError(f"{name} is {value!r}; expected {_KINDS[kind]}")
    return value


def _numbers(kind: Any, value: Any, name: str) -> tuple[int, ...]:
    count = len(get_args(kind)) if Ellipsis not in get_args(kind) else None
    right = isinstance(value, (list, tuple)) and value and all(type(one) is int and one >= 0 for one in value)
    if not right or (count is not None and len(value) != count):
        raise ParameterError(f"{name} is {value!r}; expected a list of {count or 'one or more'} whole numbers")
    return tuple(value)
