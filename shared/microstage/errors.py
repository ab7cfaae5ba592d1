"""Every error that microstage raises on purpose.

MicrostageError            one clear sentence, exit code 2
├── ParameterError         a value or a name that no stage declares
├── DatasetError           a recording that cannot be read: file, row, reason
├── ModelError             a network that a stage cannot handle: node, place, what would make it possible
├── ArtefactError          an artefact that is missing or unusable
│   ├── IntegrityError     its bytes are not those of its manifest
│   └── ConflictError      a second, different result under one key
├── EnvironmentProblem     this machine lacks something; names the command that mends it
├── StageFailed            a stage ended with a non-zero code, which is passed on
├── CutShort               a network of which a part has no form in integers; exit code 3
└── VerificationError      a stage computed other integers than the one before; exit code 3
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "ArtefactError",
    "ConflictError",
    "CutShort",
    "DatasetError",
    "EnvironmentProblem",
    "IntegrityError",
    "MicrostageError",
    "ModelError",
    "ParameterError",
    "StageFailed",
    "VerificationError",
    "naming",
]


class MicrostageError(Exception):
    """Base of all; its text is one complete sentence for the user."""

    exit_code = 2


class ParameterError(MicrostageError):
    pass


class DatasetError(MicrostageError):
    pass


class ModelError(MicrostageError):
    pass


class ArtefactError(MicrostageError):
    pass


class IntegrityError(ArtefactError):
    pass


class ConflictError(ArtefactError):
    pass


class EnvironmentProblem(MicrostageError):
    pass


class StageFailed(MicrostageError):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code if code > 0 else 128 - code  # a signal's, as shells have it


class CutShort(MicrostageError):
    exit_code = 3


class VerificationError(MicrostageError):
    exit_code = 3


@contextmanager
def naming(file: str) -> Iterator[None]:
    """What is wrong with a file begins with its name, as its owner calls it."""
    try:
        yield
    except MicrostageError as error:
        error.args = (f"{file}: {error}",)
        raise
