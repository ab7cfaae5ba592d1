"""Write beats of both streams as text, one a line, for a test bench."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["input_text", "output_text", "write_vectors"]


def write_vectors(
    folder: Path, frames: np.ndarray, starts: np.ndarray, sent: np.ndarray, widths: tuple[int, int]
) -> None:
    """Write `input.txt`, lines of "tuser tlast data", and `expected.txt`, lines of "tlast data", data in hexadecimal.

    `frames` int64 [frames, beats]; `starts` bool [frames], of those that start a sequence; `sent` int64
    [frames, beats]; `widths` are bits of the two streams.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "input.txt").write_text(input_text(frames, starts, widths[0]))
    (folder / "expected.txt").write_text(output_text(sent, widths[1]))


def input_text(frames: np.ndarray, starts: np.ndarray, width: int) -> str:
    """Return lines of "tuser tlast data"."""
    lines = []
    for frame, start in zip(frames, starts):
        last = len(frame) - 1
        lines += [f"{int(start and i == 0)} {int(i == last)} {_hex(v, width)}\n" for i, v in enumerate(frame.tolist())]
    return "".join(lines)


def output_text(sent: np.ndarray, width: int) -> str:
    """Return lines of "tlast data"."""
    return "".join(
        f"{int(i == len(frame) - 1)} {_hex(v, width)}\n" for frame in sent for i, v in enumerate(frame.tolist())
    )


def _hex(value: int, width: int) -> str:
    return f"{value & (1 << width) - 1:0{width // 4}x}"
