"""What the stages declare of themselves in `stage.toml`: inputs, outputs, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from microstage.errors import ParameterError
from microstage_runner.declarations.parameter import Parameter, parameter
from microstage_runner.declarations.stage_form import read_declared

__all__ = [
    "BESIDE",
    "CODE",
    "DATASET",
    "FILES",
    "HARDWARE",
    "INTEGERS",
    "MODULE",
    "REFERENCE",
    "TRAINING",
    "Stage",
    "UserInput",
    "load_stage",
    "last",
    "needed",
    "of_role",
    "usual",
]

BESIDE, DATASET, FILES, MODULE = "beside", "dataset", "files", "module"
"""Inputs that no stage makes: files that parameters name, a dataset, files in place of the stages before, a network's
own module."""
TRAINING, REFERENCE, INTEGERS, CODE, HARDWARE = "training", "reference", "integers", "code", "hardware"
"""Roles of stages, which `stage.toml` declares. In this order: the stage that trains a network; the one that writes its
integer reference and its interface, and in whose environment estimations run; the one that makes an integer graph of
it; the one that writes C of that graph; the one that writes hardware of it."""
OPTIONAL = "optional"  # the table of outputs that not every network has


@dataclass(frozen=True)
class UserInput:
    """Files of the user's own that a stage takes in place of its inputs: {make variable: name in the input folder}, the
    form of what it then writes, and the parameters that it then has more.
    """

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
    """One folder under `stages/`; `inputs` maps a name to the stage it comes from, or to what no stage makes.

    `outputs` are written for every network, `forms[form]` for those of one form alone; what `[outputs.optional]` lists
    is written where a network needs it, and nothing is missing without it. `cores` and `memory_mib`, of `[resources]`,
    are what sweeps set aside for it. An `optional` stage is made where it is named, and by no command about all stages.
    """

    name: str
    folder: Path
    python: str
    summary: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    parameters: dict[str, Parameter]
    forms: dict[str, dict[str, str]] = field(default_factory=dict)
    user_input: UserInput | None = None
    role: str = ""
    optional: bool = False
    cores: int = 1
    memory_mib: int = 2048


def of_role(stages: Mapping[str, Stage], role: str, otherwise: str = "") -> str:
    """Return the name of the stage that has `role`, else `otherwise`; raise `ParameterError` where there is neither."""
    found = next((stage.name for stage in stages.values() if stage.role == role), otherwise)
    if not found:
        raise ParameterError(f"No stage of this selection has role = {role!r} in its stage.toml, which this needs.")
    return found


def usual(stages: Mapping[str, Stage]) -> list[Stage]:
    """Return the stages that a command means where none is named: all but the optional ones, upstream first."""
    return [stage for stage in stages.values() if not stage.optional]


def last(stages: Mapping[str, Stage]) -> str:
    """Return the name of the stage up to which a command goes where none is named."""
    return usual(stages)[-1].name


def needed(stages: Mapping[str, Stage], target: str) -> list[Stage]:
    """Return the stages up to and including `target`, upstream first."""
    wanted = {target}
    for stage in reversed(list(stages.values())):
        if stage.name in wanted:
            wanted |= set(stage.inputs.values())
    return [stage for stage in stages.values() if stage.name in wanted]


def load_stage(path: Path) -> Stage:
    """Return what one `stage.toml` declares; `ParameterError` for one that is not in its form."""
    declared = read_declared(path)
    parameters = {name: parameter(name, fields) for name, fields in declared.get("parameters", {}).items()}
    inputs = {name: fields["from"] for name, fields in declared.get("inputs", {}).items()}
    outputs = {name: said for name, said in declared["outputs"].items() if isinstance(said, str)}
    forms = {name: said for name, said in declared["outputs"].items() if not isinstance(said, str) and name != OPTIONAL}
    user_inputs = [_user_input(name, fields) for name, fields in declared.get("user_input", {}).items()]
    return Stage(
        declared["name"],
        path.parent,
        declared["python"],
        declared["summary"],
        inputs,
        outputs,
        parameters,
        forms,
        next(iter(user_inputs), None),
        declared.get("role", ""),
        declared.get("optional", False),
        **declared.get("resources", {}),
    )


def _user_input(name: str, fields: dict[str, Any]) -> UserInput:
    own = {key: parameter(key, said) for key, said in fields.get("parameters", {}).items()}
    return UserInput(name=name, **{**fields, "parameters": own})
