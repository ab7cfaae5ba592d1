"""The C of an artefact as a library of this process."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from microstage.errors import EnvironmentProblem, MicrostageError, ParameterError
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.calling.prototypes import CArgument, network_of, prototypes

__all__ = ["CompiledC", "compiled"]

_FLAGS = ("-std=c99", "-O2", "-march=native", "-fPIC", "-shared")
_SIZES = """#include "{network}.h"
{float_header}const unsigned long ms_arena_bytes = sizeof({network}_arena);
{states}"""
_OUT_OF_RANGE, _WAITING = 2, 3


_known: dict[Path, CompiledC] = {}


def compiled(artefact: Artefact) -> CompiledC:
    """Return the C of an artefact, hashed and compiled once in this process; `ParameterError` where it holds none."""
    if not any(artefact.path.glob("*_weights.h")):
        raise ParameterError(
            f"predict calls the network's C, which {artefact.stage} does not write:"
            ' microstage.compile(..., target="cbackend") does.'
        )
    if artefact.path not in _known:
        _known[artefact.path] = CompiledC(artefact.checked())
    return _known[artefact.path]


class CompiledC:
    """A network's functions, called by NumPy arrays of the types that C has.

    `functions` are those that its headers declare: {name: arguments}.
    """

    def __init__(self, folder: Path) -> None:
        self.network, self.functions = network_of(folder), prototypes(folder)
        self._place = TemporaryDirectory(prefix="microstage-")
        self._library = ctypes.CDLL(str(self._compile(folder, Path(self._place.name))))
        self._arena = np.zeros(self.size_of("arena") // 8 + 1, np.uint64)
        self._context = np.array([self._arena.ctypes.data], np.uint64)

    def size_of(self, what: str) -> int:
        """Return the bytes of the arena, of a state or of a stream."""
        return ctypes.c_ulong.in_dll(self._library, f"ms_{what}_bytes").value

    def call(self, function: str, given: Mapping[str, Any]) -> dict[str, np.ndarray] | None:
        """Return what the function writes, by name; None where it waits for more.

        `given` are its arrays and numbers by name, and memory for its structures. Raise `ParameterError` for values
        that the network does not take.
        """
        arguments = self.functions[function]
        made = {
            one.name: np.zeros(one.count, one.dtype) for one in arguments if not one.given and one.name not in given
        }
        values = [_pointer(self._context), *(_passed(one, {**given, **made}[one.name]) for one in arguments)]
        status = getattr(self._library, f"{self.network}_{function}")(*values)
        if status == _OUT_OF_RANGE:
            raise ParameterError(
                f"{self.network} does not take such values: beyond the range of an input, or no numbers."
            )
        if status not in (0, _WAITING):
            raise MicrostageError(f"{self.network}_{function} ended with status {status}.")
        return made if status == 0 else None

    def _compile(self, folder: Path, place: Path) -> Path:
        library, sizes = place / f"{self.network}.so", place / "sizes.c"
        sizes.write_text(self._sizes(folder))
        sources = [str(path) for path in [sizes, *sorted(folder.resolve().glob("*.c"))]]
        compiler = os.environ.get("CC") or "gcc"
        command = [compiler, *_FLAGS, f"-I{folder.resolve()}", *sources, "-o", str(library)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            raise EnvironmentProblem(
                f"{compiler} is not installed, which compiles the network's C: `apt-get install gcc libc6-dev` brings"
                " it, or the environment variable CC names another."
            ) from None
        if done.returncode:
            raise MicrostageError(f"{compiler} does not compile the C of {folder}: {done.stderr.strip()[-400:]}")
        return library

    def _sizes(self, folder: Path) -> str:
        """Return C that tells how large the structures are."""
        float_header = f"{self.network}_float.h"
        structures = {"state": f"{self.network}.h", "stream": float_header}
        has = {
            name: f"{self.network}_{name};" in (folder / header).read_text()
            for name, header in structures.items()
            if (folder / header).is_file()
        }
        states = [
            f"const unsigned long ms_{n}_bytes = sizeof({self.network}_{n});\n" for n, there in has.items() if there
        ]
        included = f'#include "{float_header}"\n' if (folder / float_header).is_file() else ""
        return _SIZES.format(network=self.network, float_header=included, states="".join(states))


def _pointer(values: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(values.ctypes.data)


def _passed(one: CArgument, value: Any) -> Any:
    """Return a value as ctypes hands it to C."""
    if isinstance(value, np.ndarray):
        return _pointer(value)
    return ctypes.c_float(value) if one.type == "float" else ctypes.c_int32(value)
