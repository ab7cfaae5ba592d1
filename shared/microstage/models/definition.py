"""`model_def.json`: what every family's definition shares. No framework is imported here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microstage.errors import ArtefactError, ModelError, ParameterError
from microstage.files.canonical import write_json
from microstage.interface.answer import PhasorMean
from microstage.interface.cepstra import Cepstra
from microstage.interface.gain import Gain
from microstage.models import family

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "FILE",
    "REPLAYED",
    "Definition",
    "FamilyDefinition",
    "ModelDeclaration",
    "StepDeclaration",
    "model_of",
    "read",
]

FILE, REPLAYED = "model_def.json", "test.npz"


def read(folder: Path) -> dict[str, Any]:
    """Return the file as written; `ModelError` for one that is missing or no definition."""
    try:
        described = json.loads((folder / FILE).read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / FILE} is no definition of a network: {error}.") from None
    kinds = {"model": str, "parameters": dict}
    if not isinstance(described, dict) or not all(isinstance(described.get(name), kinds[name]) for name in kinds):
        raise ModelError(f"{folder / FILE} is no definition of a network: expected `model` and `parameters`.")
    return described


@dataclass(frozen=True)
class StepDeclaration:
    """What `model_def.json` says of a network whose graph is one step.

    `carried`: {input: the output that it takes of the step before}; `length`: the steps of one answer; `gain` of each
    step's window; `answer`: the mean that answers.
    """

    carried: Mapping[str, str]
    length: int
    gain: Gain
    answer: PhasorMean


@dataclass(frozen=True)
class ModelDeclaration:
    """What `model_def.json` says of the graph's ends and parts; all of it may be left out.

    docs/adding-a-model.md explains each. `inputs`: {input: {range, scale, unit} of the integers that enter}; `units`:
    {tensor: unit}; `classes` of the answers; `names`: {boundary: what it is called instead}; `files`: {encoder, cell or
    head: stem of its file}; `gain` of a window; `sound`: the features that an input is made of; `step` of a network
    whose graph is one step.
    """

    inputs: Mapping[str, Mapping[str, Any]]
    units: Mapping[str, str]
    names: Mapping[str, str]
    files: Mapping[str, str]
    classes: Sequence[str] = ()
    gain: Gain | None = None
    sound: Cepstra | None = None
    step: StepDeclaration | None = None

    @property
    def carried(self) -> Mapping[str, str]:
        """{input: the output that it takes of the step before}; none where the graph is no step."""
        return {} if self.step is None else self.step.carried

    @property
    def answer(self) -> PhasorMean | None:
        """The mean that answers, where the graph is a step."""
        return None if self.step is None else self.step.answer

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> ModelDeclaration:
        """Return what the file says, as `read` gives it.

        `ModelError` for a role that is none, or a gain whose window is not declared.
        """
        given = {name: described.get(name, {}) for name in ("inputs", "units", "names", "files")}
        try:
            gain = Gain.read({"gain": described.get("gain")})
            sound = Cepstra.read({"features": described.get("sound")})
            answer = PhasorMean.read({"answer": described.get("answer")})
        except ArtefactError as error:
            raise ModelError(f"{FILE}: {error}") from None
        if gain is not None and gain.window not in given["inputs"]:
            raise ModelError(f"{FILE} has a gain of {gain.window}, whose integers it must declare under inputs.")
        step = _step(described, gain, answer)
        if step is not None and (foreign := [name for name in step.carried if name not in given["inputs"]]):
            raise ModelError(f"{FILE} carries {foreign[0]}, whose integers it must declare under inputs.")
        return cls(**given, classes=tuple(described.get("classes", ())), gain=gain, sound=sound, step=step)


def _step(described: Mapping[str, Any], gain: Gain | None, answer: PhasorMean | None) -> StepDeclaration | None:
    carried = described.get("carried", {})
    if not carried and answer is None:
        return None
    if not carried or answer is None or gain is None:
        raise ModelError(f"{FILE} carries states, or has an answer that is a mean, without a gain and the other one.")
    return StepDeclaration(carried, described.get("length", 1), gain, answer)


@dataclass(frozen=True)
class Definition:
    """A network that its parameters define. `about` may have whatever `ModelDeclaration` has."""

    parameters: Mapping[str, Any]
    about: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Write `model_def.json`."""
        own = dict(self.parameters)
        write_json(folder / FILE, {"model": own.pop("model"), "parameters": own, **self.about})


@dataclass(frozen=True)
class FamilyDefinition:
    """What a family builds its networks from: `model`, and parameters, each a field of a subclass."""

    model: str

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Return the definition that a stage's parameters describe; others are ignored."""
        return cls(**{field.name: parameters[field.name] for field in fields(cls)})

    @classmethod
    def _read(cls, folder: Path, network: str) -> Self:
        """Return what `model_def.json` says; `ModelError` if it describes no such `network`."""
        described = read(folder)
        try:
            return cls(model=described["model"], **described["parameters"])
        except TypeError as error:
            raise ModelError(f"{folder / FILE} is no definition of {network}: {error}.") from None


def model_of(folder: Path, module: Path | None = None) -> str:
    """Return the MODEL that the file describes.

    `ModelError` for one that neither this checkout nor the user's `module` has.
    """
    model = read(folder)["model"]
    if module is not None:
        return model
    try:
        family(model)
    except ParameterError:
        raise ModelError(f"{folder / FILE} describes {model}, which is not a network of this checkout.") from None
    return model
