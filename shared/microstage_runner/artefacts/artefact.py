"""A published folder: its manifest, believed only where it agrees with itself and with its place, and its files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from microstage.errors import ArtefactError, IntegrityError
from microstage.files.canonical import digest
from microstage_runner.artefacts import notes
from microstage_runner.artefacts.inputs import Input, all_files
from microstage_runner.artefacts.provenance import statement
from microstage_runner.artefacts.recipe import key_of
from microstage_runner.process import load

__all__ = ["ENVELOPE", "KEY_CHARACTERS", "MANIFEST", "Artefact", "manifest_of", "read"]

MANIFEST = "manifest.json"
ENVELOPE = "manifest.dsse.json"  # the manifest again, signed (microstage_runner.signing); in no digest
KEY_CHARACTERS = 16  # of a key, in the name of its folder
_SHA256 = re.compile("[0-9a-f]{64}")
_AGAIN = "remove the folder and run the stage again"


@dataclass(frozen=True)
class Artefact:
    """A published folder and its manifest; a public name, as `microstage.Artefact`.

    The runner itself takes files from `checked` alone, so that none is used that was not hashed just before.
    `steps` and `pipeline` are those that `microstage.compile` made it by; the runner leaves them out.
    """

    path: Path
    manifest: dict[str, Any]
    steps: Sequence[Any] = field(default=(), compare=False, repr=False)
    pipeline: Any = field(default=None, compare=False, repr=False)

    @property
    def stage(self) -> str:
        """The stage that made it."""
        return self.about["stage"]

    @property
    def parameters(self) -> dict[str, Any]:
        """What the stage was given: {parameter: value}."""
        return self.about["parameters"]

    @property
    def metrics(self) -> dict[str, Any]:
        """What the stage measured: {name: value}."""
        return self.about["metrics"]

    def verify(self) -> list[dict[str, Any]]:
        """Hash every file again, and return what the stage compared at each boundary.

        Each entry has "boundary", "compared", "equal" and "explained_ties". A file that is not as it was published
        raises `IntegrityError`.
        """
        self.checked()
        return self.about["verification"]

    def predict(self, x: Any) -> Any:
        """Return what the network's C answers to `x`, compiled on this machine at the first call.

        `x` is a NumPy array where the network has one input, else {input: array}. Each holds one sample, in the shape
        that the input has without its batch, or [n, ...] of n samples; so do the answers: an array, or {output: array}
        where there are several. Of a network that is stepped, a sample is a record: [steps, ...], or a waveform of as
        many values as whole steps have. States begin at zero.

        Integers give integers: value = scale * (integer - zero point) + offset. Floats are taken as float32, in the
        unit that the interface names, and give float32.

        `ParameterError` for another shape or type, integers out of range, NaN and infinity.
        """
        return load("calling.prediction").predict(self, x)

    def trace(self, x: Any) -> dict[str, Any]:
        """Return {place: integers} of every tensor that `x`, as `predict` takes it, makes in the integer network.

        What is computed is called `<part>/<place>:<operator>` by its place in the graph, counted from 0; inputs and
        outputs have their own names. It runs where the stage runs that made the integers.
        """
        return load("calling.tracing").trace(self, x)

    def report(self) -> Path:
        """Return the page about the network, rendered if it is not there: the one that `make report` names."""
        if not self.steps:
            raise ArtefactError("report needs an artefact that microstage.compile(...) has just returned.")
        return load("pipeline.page").page_of(self.steps)

    def _repr_html_(self) -> str:
        return load("calling.notebook").as_html(self)

    @property
    def key(self) -> str:
        """The beginning of its key: its folder's name."""
        return self.path.name

    @property
    def notes(self) -> Path:
        """The folder beside it with what is in no digest: times, logs, its bill of materials."""
        return self.path.with_name(f"{self.path.name}.run")

    @property
    def files(self) -> dict[str, str]:
        """{file: SHA-256}."""
        return {entry["name"]: entry["digest"]["sha256"] for entry in self.manifest["subject"]}

    @property
    def statements(self) -> list[str]:
        """The files that say what the others are: the manifest, and the envelope that it is signed in, if any."""
        return [name for name in (MANIFEST, ENVELOPE) if (self.path / name).is_file()]

    @property
    def input(self) -> Input:
        """The artefact as a later stage reads it."""
        find = partial(all_files, self.path, MANIFEST, ENVELOPE)
        mend = f"remove the folder {self.path} and run the stage again"
        return Input(self.path, self.files, find, "it was published", mend)

    @property
    def digest(self) -> str:
        """SHA-256 over {file: SHA-256}; what a later stage's key holds of this artefact."""
        return self.input.digest

    @property
    def about(self) -> dict[str, Any]:
        """{"stage", "key", "parameters", "inputs", "recipe", "metrics", "verification"}."""
        return self.manifest["microstage"]

    @property
    def run(self) -> dict[str, Any]:
        """Times and host facts of the run that made it; empty when that note is gone or unsound."""
        return notes.read(self.notes / "run.json", notes.facts) or {}

    def checked(self) -> Path:
        """Return the folder, every file of it hashed now; raise `IntegrityError` that names the first that is not as it
        was published.
        """
        return self.input.checked()


def manifest_of(about: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Return the statement on `files` {name: SHA-256}, made as `about` says, and `about` itself."""
    result = digest({"files": files, "metrics": about["metrics"], "verification": about["verification"]})
    internal = {"key": about["key"], "recipe": about["recipe"]["digest"], "result": result}
    inputs = sorted(about["inputs"].items())
    made = statement(sorted(files.items()), f"stage:{about['stage']}", about["parameters"], internal, inputs)
    return {**made, "microstage": about}


def read(folder: Path, stage: str, key: str) -> Artefact:
    """Return the artefact of `stage` and `key` in `folder`; raise `ArtefactError` that says why it is none.

    What of a key is in folders' names does for it.
    """
    try:
        artefact = Artefact(folder, json.loads((folder / MANIFEST).read_text()))
    except FileNotFoundError:
        raise ArtefactError(f"{folder} has lost its {MANIFEST}; {_AGAIN}.") from None
    except OSError as error:
        raise ArtefactError(f"{folder / MANIFEST} cannot be read ({error.strerror}); {_AGAIN}.") from None
    except (ValueError, RecursionError):
        raise ArtefactError(f"{folder / MANIFEST} is not JSON; {_AGAIN}.") from None
    if not _agrees(artefact):
        raise IntegrityError(f"{folder / MANIFEST} was changed after it was written; {_AGAIN}.")
    about = artefact.about
    if about["stage"] != stage or key not in (about["key"], about["key"][:KEY_CHARACTERS]):
        other = f"{about['stage']} {about['key'][:KEY_CHARACTERS]}"
        raise IntegrityError(f"{folder} holds another artefact, {other}; give it back that name, or remove the folder.")
    return artefact


def _agrees(artefact: Artefact) -> bool:
    """Return whether the manifest has every part in its form, and says the same wherever it says something twice."""
    try:
        about, files = artefact.about, artefact.files
        recipe = {name: value for name, value in about["recipe"].items() if name != "digest"}
        same = digest(artefact.manifest) == digest(manifest_of(about, files))
        true = about["key"] == key_of(about) and about["recipe"]["digest"] == digest(recipe)
        return same and true and _is_formed(about, files)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return False


def _is_formed(about: Mapping[str, Any], files: Mapping[str, str]) -> bool:
    digests = [*about["inputs"].values(), *about["recipe"]["files"].values(), *files.values()]
    counts = [proof[name] for proof in about["verification"] for name in ("compared", "equal", "explained_ties")]
    formed = all(isinstance(about[name], dict) for name in ("parameters", "inputs", "recipe", "metrics"))
    formed = formed and all(isinstance(proof["boundary"], str) for proof in about["verification"])
    named = re.fullmatch(r"[\w-]+", about["stage"]) and all(_is_inside(name) for name in files)
    counted = all(type(count) is int for count in counts)
    return bool(formed and named and counted and all(map(_SHA256.fullmatch, digests)))


def _is_inside(name: str) -> bool:
    """Return whether a name is that of a file below the folder, written in one way alone."""
    parts = name.split("/")
    return not {"", ".", ".."} & set(parts) and "\0" not in name and name not in (MANIFEST, ENVELOPE)
