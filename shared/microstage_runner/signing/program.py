"""The program that signs and checks, in an environment of its own; the runner itself has no packages."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from microstage.errors import EnvironmentProblem, ParameterError
from microstage_runner.engines import pipes
from microstage_runner.engines.local import Environments

__all__ = ["Program", "environment", "is_installed"]

_LOCK = Path(__file__).with_name("requirements.lock")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_SOURCE = Path(__file__).with_name("envelopes.py")
_LARGEST_KEY = 1 << 14
_EXPECTED = {
    "SIGNING_KEY": "does not hold one private Ed25519 key without a passphrase: "
    "`openssl genpkey -algorithm ed25519 -out key.pem` makes one.",
    "PUBLIC_KEY": "does not hold one public Ed25519 key: "
    "`openssl pkey -in key.pem -pubout -out key.pub` writes that of key.pem.",
}


class Program:
    """envelopes.py with its keys; it ends when the runner does, whose end of the pipe it reads."""

    def __init__(self, volumes: Path, signing: str, public: Sequence[str]) -> None:
        private = [signing] if signing else []
        keys = {"private": _texts("SIGNING_KEY", private), "public": _texts("PUBLIC_KEY", public)}
        command = [str(environment(volumes)), "-I", str(_SOURCE)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._questions, self._answers = pipes.end_of(process.stdin), pipes.end_of(process.stdout)
        if unfit := self._answer(keys)["unfit"]:
            raise _unfit(unfit)

    def ask(self, do: str, manifest: bytes, envelope: str | None) -> dict[str, Any]:
        """Return what envelopes.py answers; it says at its top what that may be."""
        return self._answer({"do": do, "manifest": b64encode(manifest).decode(), "envelope": envelope})

    def _answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        try:
            self._questions.write(json.dumps(question) + "\n")
            self._questions.flush()
            return json.loads(self._answers.readline())
        except (BrokenPipeError, ValueError):
            raise EnvironmentProblem("The program that signs and checks ended; what it said is above.") from None


def environment(volumes: Path) -> Path:
    """Return the Python that has the packages of the lock; the runner's own version, which is there."""
    return Environments(volumes / ".env").ensure(PYTHON, _LOCK)


def is_installed(volumes: Path) -> bool:
    """Return whether that environment is there."""
    return Environments(volumes / ".env").place(PYTHON, _LOCK).exists()


def _texts(variable: str, names: Sequence[str]) -> dict[str, str]:
    return {f"{variable}={name}": _text(variable, name) for name in names}


def _text(variable: str, name: str) -> str:
    """Return the text of a key's file; raise `ParameterError` if it can be no key, or if others could take a private
    one.
    """
    path = Path(name)
    if not path.is_file():
        raise ParameterError(f"{variable}={name} is no file.")
    if variable == "SIGNING_KEY" and path.stat().st_mode & 0o077:
        raise ParameterError(f"{variable}={name} is open to other users of this machine: `chmod 600 {name}` closes it.")
    if path.stat().st_size > _LARGEST_KEY:
        raise _unfit(f"{variable}={name}")
    return path.read_text(errors="replace")


def _unfit(key: str) -> ParameterError:
    return ParameterError(f"{key} {_EXPECTED[key.partition('=')[0]]}")
