"""Frames to try a program with: golden ones, random ones, and what the interpreter says that is to come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from microstage.errors import ArtefactError
from microstage.interface.gain import EXPONENT
from microstage_rtl.program.interpret import RunningMachine
from microstage_rtl.program.program import MachineProgram

__all__ = ["Frames", "golden_frames", "random_frames", "sent_by"]


@dataclass(frozen=True)
class Frames:
    """`beats` int64 [sequences, frames, beats]: what the stream brings; the first frame of a sequence starts it."""

    beats: np.ndarray

    @property
    def count(self) -> int:
        """Count the frames."""
        return self.beats.shape[0] * self.beats.shape[1]

    @property
    def flat(self) -> tuple[np.ndarray, np.ndarray]:
        """Return beats [frames, beats], one sequence after the other, and which of the frames start one."""
        starts = np.zeros(self.beats.shape[:2], bool)
        starts[:, 0] = True
        return self.beats.reshape(self.count, -1), starts.reshape(-1)


def golden_frames(program: MachineProgram, golden: Mapping[str, np.ndarray]) -> Frames:
    """Return the golden inputs; raise `ArtefactError` without one of them."""
    found = []
    for port in program.inputs:
        if port.name not in golden:
            raise ArtefactError(f"The golden vectors have no {port.name}, which the network takes.")
        found.append(golden[port.name].astype(np.int64))
    steps = [v.shape[1] if v[0].size != port.beats else 1 for v, port in zip(found, program.inputs)]
    length = max(steps)
    return Frames(np.concatenate([v.reshape(len(v), length, -1) for v in found], axis=2))


def random_frames(program: MachineProgram, count: int, length: int, seed: int) -> Frames:
    """Return random sequences of so many frames, each integer anywhere in its range; gains change by a few places."""
    random = np.random.default_rng(seed)
    found = []
    for port in program.inputs:
        shape = count, length, port.beats
        if port.name == EXPONENT:
            walk = np.cumsum(random.integers(-3, 4, shape), axis=1)
            jump = random.integers(port.low, port.high + 1, shape)
            found.append(np.clip(np.where(random.random(shape) < 0.1, jump, walk), port.low, port.high))
        else:
            found.append(random.integers(port.low, port.high + 1, shape))
    return Frames(np.concatenate(found, axis=2))


def sent_by(program: MachineProgram, frames: Frames) -> np.ndarray:
    """Return what the program sends, int64 [sequences, frames, beats], as the interpreter runs it."""
    machine = RunningMachine(program, len(frames.beats))
    steps = range(frames.beats.shape[1])
    return np.stack([machine.frame(frames.beats[:, t], starts=t == 0) for t in steps], axis=1)
