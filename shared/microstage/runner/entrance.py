"""`ONNX=model.onnx`: files of the user's own, in place of everything before the stage that takes them.

A stage that can begin a chain so says it in its `stage.toml`:

    [instead.network]
    summary = "A network of one's own."
    form = "network"
    files = { ONNX = "model.onnx", GOLDEN = "golden.npz" }

The first variable opens the entrance, the others may be left out. The files are copied aside under the names given there, so
that the stage sees them and nothing beside them, and enter its key by their digests. `[instead.network.parameters.*]` are
parameters that the stage has with such files alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from microstage.canonical import digest, file_digest
from microstage.errors import ParameterError
from microstage.runner.declarations import FILES, Stage

__all__ = ["OwnFiles", "entered"]

_LARGEST = 1 << 32


def entered(stages: Mapping[str, Stage], typed: Mapping[str, str]) -> dict[str, Stage]:
    """`stages`, or, where an entrance's variable was typed, those from it on; `ParameterError` for what then has no meaning."""
    for stage in stages.values():
        opener, *others = stage.instead.variables if stage.instead else [None]
        if opener in typed:
            return _from_on(stages, stage, typed, opener)
        lonely = next((name for name in others if name in typed), None)
        if lonely:
            raise ParameterError(f"{lonely}={typed[lonely]} goes with {opener}=: give the network too.")
    if "ONNX" in typed:
        raise ParameterError(f"ONNX={typed['ONNX']} is not allowed: no stage of this checkout begins with a network of one's own.")
    return dict(stages)


def _from_on(stages: Mapping[str, Stage], first: Stage, typed: Mapping[str, str], opener: str) -> dict[str, Stage]:
    entry = first.instead
    written, parameters = {**first.outputs, **first.forms[entry.form]}, {**first.parameters, **entry.parameters}
    kept = {first.name: replace(first, inputs={entry.name: FILES}, outputs=written, parameters=parameters, forms={})}
    for stage in stages.values():
        if stage.name not in kept and stage.inputs and all(source in kept for source in stage.inputs.values()):
            kept[stage.name] = stage
    known = {parameter.variable for stage in kept.values() for parameter in stage.parameters.values()}
    for stage in stages.values():
        for parameter in stage.parameters.values():
            if parameter.variable in typed and parameter.variable not in known:
                given = f"{parameter.variable}={typed[parameter.variable]}"
                raise ParameterError(f"{given} belongs to {stage.name}, and {opener}= begins at {first.name}: leave it out.")
    if typed.get("STAGE") in stages and typed["STAGE"] not in kept:
        raise ParameterError(f"STAGE={typed['STAGE']} comes before {first.name}, where {opener}= begins.")
    return kept


@dataclass(frozen=True)
class OwnFiles:
    """Copies of the user's files in a folder that is gone when this process ends; `digest` is that of their names and bytes."""

    place: tempfile.TemporaryDirectory
    digest: str

    @property
    def folder(self) -> Path:
        return Path(self.place.name)

    @classmethod
    def collect(cls, stages: Mapping[str, Stage], typed: Mapping[str, str], volumes: Path) -> OwnFiles | None:
        """The files that `typed` names for the entrance among `stages`; None if no stage begins with files."""
        entry = next((stage.instead for stage in stages.values() if FILES in stage.inputs.values()), None)
        if entry is None:
            return None
        sources = {inside: _file(name, typed[name]) for name, inside in entry.files.items() if name in typed}
        (volumes / ".partial").mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix="own-", dir=volumes / ".partial")
        for inside, source in sources.items():
            shutil.copyfile(source, Path(place.name) / inside)
        return cls(place, digest({inside: file_digest(Path(place.name) / inside) for inside in sorted(sources)}))


def _file(variable: str, text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise ParameterError(f"{variable}={text} is no file.")
    if path.stat().st_size > _LARGEST:
        raise ParameterError(f"{variable}={text} has {path.stat().st_size >> 20} MiB; at most {_LARGEST >> 20} MiB can be taken in.")
    return path
