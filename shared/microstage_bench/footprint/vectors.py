"""What the firmware is fed with, and what it has to answer: golden vectors, by way of the C on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from microstage.errors import MicrostageError, VerificationError
from microstage.interface import golden
from microstage_bench.generated import Argument, DeclaredFunction, Generated, Variant, declaration

__all__ = ["COUNT", "measured_vectors"]

COUNT = 4
_HERE = Variant("here", ("-std=c99", "-O2", "-DMS_PORTABLE"))


def measured_vectors(folder: Path, function: str, scratch: Path) -> bytes:
    """Return what goes in and has to come out of COUNT calls of <model>_<function>, as boards/measure.c reads it.

    The answers are those of the portable C on this machine. `VerificationError` where a golden vector says otherwise;
    what no golden vector knows is made up.
    """
    declared, here = declaration(folder, function), Generated(folder, _HERE, scratch, function)
    known = golden.load(folder / golden.FILE) if (folder / golden.FILE).exists() else {}
    data = b""
    for place in np.linspace(0, 1, COUNT):
        row = {name: values[int(place * (len(values) - 1))] for name, values in known.items() if values.ndim}
        inputs = [_numbers(argument, row) for argument in declared.inputs]
        here.put(inputs)
        if here.call():
            raise MicrostageError(f"{folder.name} refuses the vector that its footprint is measured on.")
        answers = [values.ravel() for values in here.get()]
        _compare(declared, row, answers)
        data += b"".join(values.astype(values.dtype.newbyteorder("<")).tobytes() for values in (*inputs, *answers))
    return data


def _name(argument: Argument) -> str:
    return str(argument.facts.get("name", argument.name))


def _numbers(argument: Argument, row: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what goes in: of a row of several steps, the first ones; what is no row's, as sound is, is made up."""
    values = row.get(_name(argument), np.empty(0)).ravel()[: argument.size]
    return (values if values.size == argument.size else argument.filling).astype(argument.dtype)


def _compare(declared: DeclaredFunction, row: Mapping[str, np.ndarray], answers: list[np.ndarray]) -> None:
    """Raise `VerificationError` where an answer is not the golden one, as far as the row is one of this function."""
    if any(_name(a) not in row or row[_name(a)].size != a.size for a in declared.inputs):
        return
    for argument, found in zip(declared.outputs, answers):
        expected = row.get(_name(argument))
        if expected is not None and expected.size == found.size and not np.array_equal(expected.ravel(), found):
            name = f"{declared.model} gives another {_name(argument)}"
            raise VerificationError(f"The C of {name} than its golden vectors.")
