"""One network along the users' road, in this process: streamline, cbackend, a compiler, and its answers beside another
executor's."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from answers import answers, difference

from microstage.errors import MicrostageError
from microstage.interface import golden
from microstage.stage import stage_main
from microstage_bench.compiling import FORMS
from microstage_bench.emulators import MACHINES
from microstage_bench.random_networks import RandomNetwork
from microstage_cbackend.__main__ import run as cbackend
from microstage_cbackend.build import FLAGS, compile_selftest, run_selftest
from microstage_cbackend.generate import read_model
from microstage_cbackend.vectors.plan import make_plan
from microstage_runner.process import REPOSITORY
from microstage_runner.session import Session
from microstage_streamline.__main__ import run as streamline

__all__ = ["Failure", "travel"]

_LONGEST = 1000
_MACHINES = [machine for machine in MACHINES if not machine.missing]


@dataclass(frozen=True)
class Failure:
    """Where a network's way ended, and the last that was said there."""

    place: str
    said: str

    @property
    def kind(self) -> str:
        """The same for failures that are alike: without names and numbers."""
        return self.place + " " + re.sub(r"[^a-z ]+", "", re.sub(r"\S*[\d/_'\"]\S*", "", self.said.lower()))[:60]


def travel(network: RandomNetwork, folder: Path, compilation: int) -> Failure | None:
    """The first thing that goes wrong; `compilation` chooses one of prove's, beside the stage's own, or one for another
    machine that is emulated here.

    In it the answers are compared where floats compute the network exactly and the C has functions of real numbers,
    elsewhere, and on other machines, the golden integers.
    """
    given = folder / "network"
    given.mkdir(parents=True)
    (given / "model.onnx").write_bytes(network.model.SerializeToString())
    settings = Session(REPOSITORY, {"ONNX": str(given / "model.onnx"), "VOLUMES": str(folder)}).parameters
    graphs, c = folder / "graphs", folder / "c"
    return (
        _stage("streamline", streamline, {"network": given}, settings["streamline"], graphs, folder)
        or _stage("cbackend", cbackend, {"streamline": graphs}, settings["cbackend"], c, folder)
        or _compiled(network, graphs, c, compilation)
    )


def _compiled(network: RandomNetwork, graphs: Path, c: Path, compilation: int) -> Failure | None:
    """What is wrong in one more compilation."""
    turn = compilation % (len(FORMS) + len(_MACHINES))
    if turn >= len(FORMS):
        machine = _MACHINES[turn - len(FORMS)]
        return _self_test(graphs, c, machine.compiler, ["-O2", *machine.flags, *machine.link], machine.emulator)
    compiler, flags = FORMS[turn]
    words = [word for flag in flags for word in flag.split()]
    return _answers(network, c, compiler, words) if _answerable(network, c) else _self_test(graphs, c, compiler, words)


def _stage(name: str, run, inputs: dict[str, Path], values: dict, out: Path, folder: Path) -> Failure | None:
    words = [word for key, path in inputs.items() for word in ("--in", f"{key}={path}")]
    words += [word for key, value in values.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = stage_main(name, run, [*words, "--out", str(out), "--scratch", str(folder / f"{name}.scratch")])
    lines = said.getvalue().strip().splitlines() or [""]
    start = next((place for place, line in enumerate(lines) if line.startswith("microstage")), -1)
    return Failure(name, " ".join(lines[start:])[:_LONGEST]) if code else None


def _answerable(network: RandomNetwork, c: Path) -> bool:
    return network.recipe.exact and any(c.glob("*_float.h"))


def _self_test(
    graphs: Path, c: Path, compiler: str, words: Sequence[str], emulator: tuple[str, ...] = ()
) -> Failure | None:
    """Every golden integer again."""
    try:
        compile_selftest(c, (FLAGS[0], *words), compiler)
        run_selftest(c, make_plan(read_model(graphs), golden.load(graphs / golden.FILE)).shapes(), emulator=emulator)
    except MicrostageError as error:
        return Failure(f"self test {compiler} {' '.join(words)}", str(error)[:_LONGEST])
    return None


def _answers(network: RandomNetwork, c: Path, compiler: str, words: Sequence[str]) -> Failure | None:
    """Through the functions for real numbers, against the other executor's."""
    (wanted,) = network.answers
    try:
        said = difference(answers(c, network.inputs, wanted[0].size, compiler, words), wanted)
    except subprocess.CalledProcessError as error:
        told = error.stderr or str(error)
        said = " ".join((told if isinstance(told, str) else told.decode(errors="replace")).split())[:_LONGEST]
    return Failure(f"answers {compiler} {' '.join(words)}", said) if said else None
