"""What the stages declare of themselves in `stage.toml`: inputs, outputs, parameters."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microstage.errors import ParameterError
from microstage.interface.c_names import NETWORK_NAMES, is_network_name

if TYPE_CHECKING:
    from microstage_runner.declarations.user_module import OwnModel

__all__ = [
    "DATASET",
    "FILES",
    "MODULE",
    "Instead",
    "Parameter",
    "Stage",
    "load_stage",
    "load_stages",
    "needed",
    "parameter",
]

DATASET, FILES, MODULE = "dataset", "files", "module"  # inputs that no stage makes
OPTIONAL = "optional"  # the table of outputs that not every network has
_TYPES = {"int": int, "float": float, "str": str, "bool": bool, "name": str}


@dataclass(frozen=True)
class Parameter:
    """One make variable (its name in capitals); bounds are inclusive unless `exclusive_min`.

    `models` are those that have it (None: all), `narrowed` how single ones have it: own default, choices, bounds.
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
    models: tuple[str, ...] | None = None
    narrowed: Mapping[str, Parameter] = field(default_factory=dict)

    def of(self, model: str | None) -> Parameter | None:
        """The parameter as `model` has it; None if it does not."""
        if self.models is not None and model not in self.models:
            return None
        return self.narrowed.get(model, self)

    def fields(self) -> dict[str, Any]:
        """What a `stage.toml` says of it."""
        said = {
            name: getattr(self, name)
            for name in ("type", "default", "summary", "min", "max", "exclusive_min", "choices", "unit")
        }
        return {name: value for name, value in said.items() if value is not None}

    @property
    def variable(self) -> str:
        return self.name.upper()

    def allowed(self) -> str:
        """The values allowed, in words."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        kind = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "0 or 1", "name": NETWORK_NAMES}[
            self.type
        ]
        low = "" if self.min is None else f" {'above' if self.exclusive_min else 'from'} {self.min:g}"
        high = "" if self.max is None else f" up to {self.max:g}"
        return f"{kind}{low}{high}{' ' + self.unit if self.unit else ''}"

    def parse(self, text: str) -> Any:
        """The canonical value of `text` (.5, 0.5 and 0.50 are one); `ParameterError` says what is allowed."""
        try:
            value = self._convert(text.strip())
        except ValueError:
            value = None
        if value is None or not self._accepts(value):
            raise ParameterError(f"{self.variable}={text} is not allowed: expected {self.allowed()}.")
        return value

    def _convert(self, text: str) -> Any:
        if self.type == "bool":
            return (
                {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
                if text.lower() in ("0", "1", "true", "false", "yes", "no")
                else None
            )
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


@dataclass(frozen=True)
class Instead:
    """Files of the user's own that a stage takes in place of its inputs: {make variable: name in the input folder}, the form
    of what it then writes, and the parameters that it then has more."""

    name: str
    summary: str
    form: str
    files: dict[str, str]
    parameters: dict[str, Parameter] = field(default_factory=dict)

    @property
    def variables(self) -> list[str]:
        """The variable that opens the entrance, then those that go with it."""
        return [*self.files, *(parameter.variable for parameter in self.parameters.values())]


@dataclass(frozen=True)
class Stage:
    """One folder under `stages/`; `inputs` maps a name to the stage it comes from, or to `DATASET` or `MODULE`.

    `outputs` are written for every network, `forms[form]` for those of one form alone; what `[outputs.optional]` lists is written
    where a network needs it, and nothing is missing without it.
    """

    name: str
    folder: Path
    python: str
    summary: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    parameters: dict[str, Parameter]
    forms: dict[str, dict[str, str]] = field(default_factory=dict)
    instead: Instead | None = None


def load_stages(repository: Path, own: OwnModel | None = None) -> dict[str, Stage]:
    """Every stage of the checkout, upstream first, with the parameters of every family of models, and of the user's `own`."""
    from microstage_runner.declarations.model_parameters import with_families

    plain = [load_stage(path) for path in sorted((repository / "stages").glob("*/stage.toml"))]
    stages = {
        stage.folder.name: with_families(stage, own, [other for other in plain if other is not stage])
        for stage in plain
    }
    ordered: dict[str, Stage] = {}

    def visit(name: str) -> None:
        for source in stages[name].inputs.values():
            if source not in (DATASET, MODULE) and source not in ordered:
                visit(source)
        ordered.setdefault(name, stages[name])

    for name in stages:
        visit(name)
    return ordered


def needed(stages: Mapping[str, Stage], target: str) -> list[Stage]:
    """The stages up to and including `target`, upstream first."""
    wanted = {target}
    for stage in reversed(stages.values()):
        if stage.name in wanted:
            wanted |= set(stage.inputs.values())
    return [stage for stage in stages.values() if stage.name in wanted]


def load_stage(path: Path) -> Stage:
    """What one `stage.toml` declares."""
    declared = tomllib.loads(path.read_text())
    parameters = {name: parameter(name, fields) for name, fields in declared.get("parameters", {}).items()}
    inputs = {name: fields["from"] for name, fields in declared.get("inputs", {}).items()}
    outputs = {name: said for name, said in declared["outputs"].items() if isinstance(said, str)}
    forms = {name: said for name, said in declared["outputs"].items() if not isinstance(said, str) and name != OPTIONAL}
    instead = [_instead(name, fields) for name, fields in declared.get("instead", {}).items()]
    return Stage(
        declared["name"],
        path.parent,
        declared["python"],
        declared["summary"],
        inputs,
        outputs,
        parameters,
        forms,
        *instead,
    )


def _instead(name: str, fields: dict[str, Any]) -> Instead:
    own = {key: parameter(key, said) for key, said in fields.get("parameters", {}).items()}
    return Instead(name=name, **{**fields, "parameters": own})


def parameter(name: str, fields: dict[str, Any]) -> Parameter:
    """A parameter from the fields that declare it."""
    lists = {key: tuple(fields[key]) for key in ("choices", "models") if key in fields}
    default = float(fields["default"]) if fields["type"] == "float" else fields["default"]
    return Parameter(name=name, **{**fields, **lists, "default": default})
