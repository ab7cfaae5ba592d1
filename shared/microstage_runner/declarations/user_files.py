"""`ONNX=model.onnx`: files of the user's own, in place of everything before the stage that takes them.

A stage that can begin a pipeline so says it in its `stage.toml`:

    [user_input.network]
    summary = "A network of one's own."
    form = "network"
    files = { ONNX = "model.onnx", GOLDEN = "golden.npz", CALIBRATION = "calibration.npz" }

The first variable opens the entrance, the others may be left out. The files are copied aside under the names given
there, with the files beside a model that it keeps weights in, so that the stage sees them and nothing else, and enter
its key by their digests. What the user calls them is told to the stage in NAMES, which is in no digest.
`[user_input.network.parameters.*]` are parameters that the stage has with such files alone.
"""

from __future__ import annotations

import mmap
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from microstage.errors import IntegrityError, ParameterError
from microstage.files.canonical import file_digest, write_json
from microstage.interface.c_names import network_name
from microstage.untrusted.onnx_file import NAMES, inside_folder
from microstage_runner.artefacts.digests import Digests
from microstage_runner.artefacts.inputs import Input, all_files
from microstage_runner.artefacts.places import Place
from microstage_runner.declarations.stages import FILES, Stage, UserInput

__all__ = ["UserFiles", "from_user_files", "named_by_parameters"]

_LARGEST = 1 << 32
# As protobuf writes where a tensor is kept that is not in the file: the key, and the length of what follows.
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x01-\x7f]|[\x80-\xff][\x01-\x1f])")


def from_user_files(stages: Mapping[str, Stage], typed: Mapping[str, str]) -> dict[str, Stage]:
    """Return `stages`, or, where an entrance's variable was typed, those from it on; raise `ParameterError` for what
    then has no meaning.
    """
    for stage in stages.values():
        if stage.user_input is None:
            continue
        opener, *others = stage.user_input.variables
        if opener in typed:
            return _from_on(stages, stage, stage.user_input, typed)
        lonely = next((name for name in others if name in typed), None)
        if lonely:
            raise ParameterError(f"{lonely}={typed[lonely]} goes with {opener}=: give the network too.")
    if "ONNX" in typed:
        raise ParameterError(
            f"ONNX={typed['ONNX']} is not allowed: no stage of this checkout begins with a network of one's own."
        )
    return dict(stages)


def _from_on(stages: Mapping[str, Stage], first: Stage, given: UserInput, typed: Mapping[str, str]) -> dict[str, Stage]:
    """Return the stages from `first` on, which reads the files `given`; refuse what belongs to those before."""
    opener = given.variables[0]
    written, parameters = {**first.outputs, **first.forms[given.form]}, {**first.parameters, **given.parameters}
    kept = {first.name: replace(first, inputs={given.name: FILES}, outputs=written, parameters=parameters, forms={})}
    for stage in stages.values():
        if stage.name not in kept and stage.inputs and all(source in kept for source in stage.inputs.values()):
            kept[stage.name] = _named(stage, typed[opener])
    known = {parameter.variable for stage in kept.values() for parameter in stage.parameters.values()}
    begins = f"{opener}= begins at {first.name}"
    for stage in stages.values():
        for variable in (parameter.variable for parameter in stage.parameters.values()):
            if variable in typed and variable not in known:
                raise ParameterError(
                    f"{variable}={typed[variable]} belongs to {stage.name}, and {begins}: leave it out."
                )
    if typed.get("STAGE") in stages and typed["STAGE"] not in kept:
        raise ParameterError(f"STAGE={typed['STAGE']} comes before {first.name}, where {opener}= begins.")
    return kept


def _named(stage: Stage, file: str) -> Stage:
    """Return `stage`, whose parameters that are names of the network are by default the stem of the user's file."""
    default = network_name(Path(file).stem) if file else ""
    named = {key: replace(p, default=default) for key, p in stage.parameters.items() if p.type == "name"}
    return replace(stage, parameters={**stage.parameters, **named})


@dataclass(frozen=True)
class UserFiles:
    """Copies of the user's files in a folder that is gone when this process ends.

    `listed` is {file: SHA-256}, `originals` where they were copied from.
    """

    place: Place
    listed: Mapping[str, str]
    originals: Mapping[str, Path]

    @property
    def folder(self) -> Path:
        return self.place.folder

    @property
    def input(self) -> Input:
        """The files as a stage reads them; they are there for as long as this is."""
        return Input(self.folder, self.listed, self._copies, "it was copied", "run the same command again")

    def _copies(self) -> list[Path]:
        return all_files(self.folder, NAMES)

    def hash_originals(self, digests: Digests) -> None:
        """Raise `IntegrityError` for a file of the user's that is no longer what was copied."""
        for inside, path in self.originals.items():
            if digests.of(path) != self.listed[inside]:
                raise IntegrityError(f"{path} was changed after it was copied; run the same command again.")

    @classmethod
    def collect(cls, stages: Mapping[str, Stage], typed: Mapping[str, str], volumes: Path) -> UserFiles | None:
        """Return the files that `typed` names for the entrance among `stages`; None if no stage begins with files."""
        given = next((stage.user_input for stage in stages.values() if FILES in stage.inputs.values()), None)
        if given is None:
            return None
        sources = {inside: _file(name, typed[name]) for name, inside in given.files.items() if name in typed}
        beside = _kept_beside(next(iter(sources.values())))
        if taken := next(iter(beside.keys() & {*given.files.values(), NAMES}), None):
            raise ParameterError(
                f"The network keeps weights in {taken}, a name that is taken here; save it with its weights inside."
            )
        copied = cls.copied({**beside, **sources}, volumes)
        write_json(copied.folder / NAMES, {inside: source.name for inside, source in sources.items()})
        return copied

    @classmethod
    def copied(cls, sources: Mapping[str, Path], volumes: Path) -> UserFiles:
        """Return copies of {name in the folder: file}."""
        place = Place(volumes, "own")
        for inside, source in sources.items():
            target = place.folder / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        return cls(place, {inside: file_digest(place.folder / inside) for inside in sorted(sources)}, sources)


def named_by_parameters(stages: Mapping[str, Stage], typed: Mapping[str, str], volumes: Path) -> UserFiles | None:
    """Return copies of the files that parameters name, each in a folder called as its parameter; None where none do."""
    declared = {p.variable: p for stage in stages.values() for p in stage.parameters.values()}
    named = {
        f"{declared[name].name}/{Path(text).name}": _file(name, text)
        for name, text in typed.items()
        if name in declared and declared[name].names_file(text)
    }
    return UserFiles.copied(named, volumes) if named else None


def _kept_beside(model: Path) -> dict[str, Path]:
    """Return {location: file} of the files in a model's folder that it says its weights are in.

    What leaves the folder, or is not there, stays behind: the stage says so.
    """
    if not model.stat().st_size:
        return {}
    with model.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = {_text(data, match) for match in _LOCATION.finditer(data)}
    folder = model.parent.resolve()
    beside = {location: folder / location for location in sorted(found) if inside_folder(location)}
    return {name: path for name, path in beside.items() if path.is_file() and path.resolve().is_relative_to(folder)}


def _text(data: mmap.mmap, match: re.Match[bytes]) -> str:
    """Return the text behind a length of one byte or two."""
    low, *high = match[1]
    size = low & 0x7F | (high[0] << 7 if high else 0)
    return data[match.end() : match.end() + size].decode(errors="replace")


def _file(variable: str, text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise ParameterError(f"{variable}={text} is no file.")
    if path.stat().st_size > _LARGEST:
        raise ParameterError(
            f"{variable}={text} has {path.stat().st_size >> 20} MiB; at most {_LARGEST >> 20} MiB can be taken in."
        )
    return path
