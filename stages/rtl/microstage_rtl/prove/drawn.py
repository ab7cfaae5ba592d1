"""Draw random frames, and have the program's interpreter say what is to come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microstage_rtl.program.program import MachineProgram
from microstage_rtl.program.widths import Widths
from microstage_rtl.prove.frames import Frames, random_frames, sent_by
from microstage_rtl.write.vectors import write_vectors

__all__ = ["STEPS", "draw", "write_frames"]

STEPS = 8
"Frames of one sequence, in each of which the states are others."
_BYTES = 1 << 28
"What the interpreter's memories may take."


def draw(folder: Path, program: MachineProgram, count: int, seed: int = 1) -> int:
    """Write input.txt and expected.txt of `count` random frames or a few more; return how many these are.

    Where the network has states, STEPS frames are a sequence.
    """
    steps = STEPS if program.states else 1
    frames = random_frames(program, -(-count // steps), steps, seed)
    at_once = max(1, _BYTES // (8 * program.words))
    pieces = [frames.beats[first : first + at_once] for first in range(0, len(frames.beats), at_once)]
    write_frames(folder, program, frames, np.concatenate([sent_by(program, Frames(piece)) for piece in pieces]))
    return frames.count


def write_frames(folder: Path, program: MachineProgram, frames: Frames, sent: np.ndarray) -> None:
    """Write input.txt and expected.txt of `frames`, and of what is `sent`, int64 [sequences, frames, beats]."""
    beats, starts = frames.flat
    widths = Widths(program).parameters
    write_vectors(folder, beats, starts, sent.reshape(len(beats), -1), (widths["IN_WIDTH"], widths["OUT_WIDTH"]))
