"""Run the program in NumPy on the golden vectors: every integer at a boundary that its memory holds must be equal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microstage.errors import ArtefactError
from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage.interface import golden
from microstage.interface.recurrence import Recurrence
from microstage.untrusted.onnx_file import read_onnx
from microstage_rtl.program.interpret import RunningMachine
from microstage_rtl.program.program import MachineProgram
from microstage_rtl.prove.frames import Frames, golden_frames

__all__ = ["Replay", "replayed"]


@dataclass(frozen=True)
class Replay:
    """The golden frames, what the program sends, int64 [sequences, frames, beats], and what was compared on the way."""

    frames: Frames
    sent: np.ndarray
    compared: list[golden.ComparedBoundary]


def replayed(program: MachineProgram, source: Path) -> Replay:
    """Replay the golden vectors of streamline's artefact `source`.

    Raise `VerificationError` where the interpreter computes another integer than the reference.
    """
    arrays, aliases = golden.load(source / golden.FILE), _aliases(source)
    known = {**{name: arrays[said] for name, said in aliases.items() if said in arrays}, **arrays}
    known |= _of_reference(program, source, known)
    frames = golden_frames(program, known)
    expected = {name: known[name] for name in program.places if name in known and name not in program.states}
    sent, found = _run(program, frames, expected)
    compared = [
        golden.compare(name, _as_it_lies(program, name, expected[name], frames, found[name]), found[name])
        for name in expected
    ]
    compared.append(golden.compare("answers", _answers(program, known, frames), sent))
    return Replay(frames, sent, compared)


def _run(
    program: MachineProgram, frames: Frames, expected: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return what is sent, and each tensor of `expected` as the memory holds it when it is complete."""
    machine = RunningMachine(program, len(frames.beats))
    found = {name: np.zeros_like(_by_frame(array, frames)) for name, array in expected.items()}
    complete: dict[int, list[str]] = {}
    for name in expected:
        complete.setdefault(program.places[name][0], []).append(name)
    sent = []
    for step in range(frames.beats.shape[1]):

        def seen(layer: int, step: int = step) -> None:
            for name in complete.get(layer, ()):
                found[name][:, step] = machine.tensor(name).reshape(machine.count, -1)

        sent.append(machine.frame(frames.beats[:, step], step == 0, seen))
    return np.stack(sent, axis=1), found


def _aliases(source: Path) -> dict[str, str]:
    """Return {tensor of a graph: what the golden vectors call it}: a cell's step, its next states."""
    sequence = Recurrence.read(json.loads((source / "interface.json").read_text()))
    return {**sequence.steps, **{new: old for old, new in sequence.states.items()}} if sequence else {}


def _of_reference(program: MachineProgram, source: Path, known: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the answers that the golden vectors lack, as the integer reference computes them of one graph alone."""
    missing = [port.name for port in program.outputs if port.name not in known]
    graphs = json.loads((source / "interface.json").read_text())["parts"].values()
    if not missing or program.states or len(graphs) > 1:
        return {}
    model = Interpreter(read_onnx(source / next(iter(graphs))["file"]))
    count = len(known[program.inputs[0].name])
    found = [model.run({n: known[n][i : i + 1] for n in model.inputs}, missing) for i in range(count)]
    return {name: np.concatenate([integers(of[name]) for of in found]) for name in missing}


def _by_frame(array: np.ndarray, frames: Frames) -> np.ndarray:
    """Return a golden array as int64 [sequences, frames, integers]."""
    return array.astype(np.int64).reshape(*frames.beats.shape[:2], -1)


def _as_it_lies(program: MachineProgram, name: str, array: np.ndarray, frames: Frames, found: np.ndarray) -> np.ndarray:
    """Return a golden array by frame; with the channels last, as the graph has them, where only so it equals `found`.

    Golden vectors between layers have the channels first, those at a border lie as the graph takes and gives them.
    """
    by_frame = _by_frame(array, frames)
    shape = program.places[name][1].shape[1:]
    if len(shape) < 2 or np.array_equal(by_frame, found):
        return by_frame
    first = by_frame.reshape(*by_frame.shape[:2], shape[-1], *shape[:-1])
    last = np.moveaxis(first, 2, -1).reshape(by_frame.shape)
    return last if np.array_equal(last, found) else by_frame


def _answers(program: MachineProgram, known: Mapping[str, np.ndarray], frames: Frames) -> np.ndarray:
    missing = [port.name for port in program.outputs if port.name not in known]
    if missing:
        raise ArtefactError(f"The golden vectors have no {missing[0]}, which the network gives.")
    return np.concatenate([_by_frame(known[port.name], frames) for port in program.outputs], axis=2)
