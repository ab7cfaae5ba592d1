"""One make variable of a stage, as `stage.toml` or a family of models declares it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from microstage.errors import ParameterError
from microstage.interface.c_names import NETWORK_NAMES, is_network_name
from microstage_runner.declarations.spelling import declared_name, nearest

__all__ = ["LARGEST_JSON", "Parameter", "parameter"]

LARGEST_JSON = 1 << 16  # bytes: what one argument of a command may be, with room for its quoting
_TYPES = {"int": int, "float": float, "str": str, "bool": bool, "name": str, "file": str, "json": str}


@dataclass(frozen=True)
class Parameter:
    """One make variable (its name in capitals); bounds are inclusive unless `exclusive_min`.

    `models` are those that have it (None: all), `narrowed` how single ones have it: own default, choices, bounds. A
    `file` is one of the `choices`, or a file of the user's that ends in `suffix`; its value is then the file's name.
    The value of a `json` is what a file holds, as text, or that text itself: it is part of the key.
    """

    name: str
    type: str
    default: Any
    summary: str
    min: float | None = None
    max: float | None = None
    exclusive_min: bool = False
    choices: tuple[Any, ...] | None = None
    unit: str = ""
    suffix: str = ""
    models: tuple[str, ...] | None = None
    narrowed: Mapping[str, Parameter] = field(default_factory=dict)

    def of(self, model: str) -> Parameter | None:
        """Return the parameter as `model` has it; None if it does not."""
        if self.models is not None and model not in self.models:
            return None
        return self.narrowed.get(model, self)

    def fields(self) -> dict[str, Any]:
        """Return what a `stage.toml` says of it."""
        said = {
            name: getattr(self, name)
            for name in ("type", "default", "summary", "min", "max", "exclusive_min", "choices", "unit", "suffix")
        }
        return {name: value for name, value in said.items() if value is not None}

    @property
    def variable(self) -> str:
        return self.name.upper()

    def allowed(self) -> str:
        """Return the values allowed, in words."""
        if self.type == "file":
            names = [f"one of {', '.join(self.choices)}"] if self.choices else []
            return ", or ".join([*names, f"a file{self.suffix and f' that ends in {self.suffix}'}"])
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        if self.type == "json":
            return f"a file that holds a JSON object, of at most {LARGEST_JSON >> 10} KiB"
        kind = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "0 or 1", "name": NETWORK_NAMES}[
            self.type
        ]
        low = "" if self.min is None else f" {'above' if self.exclusive_min else 'from'} {self.min:g}"
        high = "" if self.max is None else f" up to {self.max:g}"
        return f"{kind}{low}{high}{' ' + self.unit if self.unit else ''}"

    def parse(self, text: str) -> Any:
        """Return the canonical value of `text`; raise `ParameterError` with what is allowed.

        .5, 0.5 and 0.50 are one, and so are the spellings of a name among choices.
        """
        if self.type == "file":
            return self._name(text.strip())
        if self.type == "json":
            return self._json(text.strip())
        try:
            value = self._convert(text.strip())
        except ValueError:
            value = None
        if value is None or not self._accepts(value):
            near = nearest(text, self.choices) if self.choices and self.type == "str" else None
            hint = f"; did you mean {near}?" if near else "."
            raise ParameterError(f"{self.variable}={text} is not allowed: expected {self.allowed()}{hint}")
        return value

    def names_file(self, text: str) -> bool:
        """Return whether `text` is a file's path, not one of the values that need none."""
        return self.type == "file" and text not in (self.default, *(self.choices or ()))

    def _json(self, text: str) -> str:
        """Return what the file `text`, or the object that it spells, holds, so that equal objects are equal texts."""
        if text == self.default:
            return text
        try:
            said = text if text.startswith("{") else _small_file(Path(text))
            found = json.loads(said)
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict):
            raise ParameterError(f"{self.variable}={text} is not allowed: expected {self.allowed()}.")
        return json.dumps(found, sort_keys=True, separators=(",", ":"))

    def _name(self, text: str) -> str:
        if not self.names_file(text):
            return text
        path = Path(text)
        if not text.endswith(self.suffix):
            raise ParameterError(f"{self.variable}={text} is not allowed: expected {self.allowed()}.")
        if not path.is_file():
            raise ParameterError(f"{self.variable}={text} is no file.")
        return path.name

    def _convert(self, text: str) -> Any:
        if self.type == "bool":
            return (
                {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
                if text.lower() in ("0", "1", "true", "false", "yes", "no")
                else None
            )
        if self.type == "str" and self.choices:
            return declared_name(text, self.choices, self.variable)
        value = _TYPES[self.type](text)
        return value + 0.0 if self.type == "float" else value

    def _accepts(self, value: Any) -> bool:
        if self.choices is not None:
            return value in self.choices
        if self.type == "name":
            return not value or is_network_name(value)  # "" leaves it to the file or the model
        if self.type in ("int", "float"):
            above = self.min is None or (value > self.min if self.exclusive_min else value >= self.min)
            return above and (self.max is None or value <= self.max) and abs(value) < float("inf")
        return True


def _small_file(path: Path) -> str:
    """Return the text of a file; raise `ValueError` for one that no command line could carry."""
    with path.open("rb") as file:
        content = file.read(LARGEST_JSON + 1)
    if len(content) > LARGEST_JSON:
        raise ValueError
    return content.decode()


def parameter(name: str, fields: dict[str, Any]) -> Parameter:
    """Return a parameter of the fields that declare it."""
    lists: dict[str, Any] = {key: tuple(fields[key]) for key in ("choices", "models") if key in fields}
    default = float(fields["default"]) if fields["type"] == "float" else fields["default"]
    return Parameter(name=name, **{**fields, **lists, "default": default})
