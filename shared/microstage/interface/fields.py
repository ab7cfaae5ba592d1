"""Read one object of `interface.json` into a dataclass, each field of the type that it is declared as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from microstage.errors import ArtefactError

__all__ = ["interface_error", "read_fields", "tensors_of"]

_OF_NAMES = {"Mapping[str, str]": "names by name", "tuple[str, ...]": "names"}


def read_fields(cls: type, key: str, interface: Mapping[str, Any]) -> Any:
    """Return an object of `cls` from the fields under `key`, each of the kind that it is declared as."""
    given = interface.get(key)
    if given is None:
        return None
    if not isinstance(given, dict):
        raise interface_error(key, "is no object")
    known = {f.name: str(f.type) for f in fields(cls)}
    if foreign := [name for name in given if name not in known]:
        raise interface_error(key, f"has a field {foreign[0]}; expected some of {', '.join(known)}")
    kinds = {"int": int, "float": float, "str": str, "str | None": str}
    kinds |= {"Mapping[str, str]": dict, "tuple[int, int]": list, "tuple[str, ...]": list}
    given = {name: float(v) if known[name] == "float" and type(v) is int else v for name, v in given.items()}
    for name, value in given.items():
        if (
            type(value) is not kinds[known[name]]
            or known[name] in _OF_NAMES
            and not all(isinstance(one, str) for one in _elements(value))
        ):
            raise interface_error(key, f"has {name} = {value!r}; expected {_OF_NAMES.get(known[name], known[name])}")
    try:
        return cls(**given)
    except TypeError:
        missing = next(f.name for f in fields(cls) if f.name not in given)
        raise interface_error(key, f"has no {missing}") from None


def _elements(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def interface_error(key: str, what: str) -> ArtefactError:
    """Return what is the matter with a role, in a sentence."""
    return ArtefactError(f"The {key} of the interface {what}.")


def tensors_of(interface: Mapping[str, Any], side: str) -> dict[str, Any]:
    return {name: said for part in interface["parts"].values() for name, said in part.get(side, {}).items()}
