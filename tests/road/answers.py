"""Answers of generated C to real numbers, through its functions for real numbers (answer.c).

`python answers.py C_FOLDER ANSWERS.npz` compares them with another executor's: a line that begins with `equal`, or what
differs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["answers", "difference"]

_CHECKED = "gcc", ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def answers(folder: Path, inputs: Sequence[np.ndarray], size: int, compiler: str, flags: Sequence[str]) -> np.ndarray:
    """float32 [n, size] of the C in `folder`; `subprocess.CalledProcessError` where it does not compile or run."""
    name = next(folder.glob("*_float.h")).name.removesuffix("_float.h")
    starts = np.cumsum([0, *(values[0].size for values in inputs)])
    facts = {
        "HEADER": f'"{name}_float.h"',
        "ARENA": f"{name}_arena",
        "CTX": f"{name}_ctx",
        "INFER": f"{name}_infer_float",
        "OK": f"{name.upper()}_OK",
        "INPUTS": starts[-1],
        "OUTPUTS": size,
        "ARGUMENTS": ", ".join([*(f"in + {start}" for start in starts[:-1]), "out"]),
    }
    sources = [*folder.glob("*.c")]
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "answer"
        defined = [f"-D{key}={value}" for key, value in facts.items()]
        command = [compiler, "-std=c99", *flags, *defined, f"-I{folder}", str(Path(__file__).parent / "answer.c")]
        subprocess.run(
            [*command, *map(str, sources), "-o", str(program), "-lm"], check=True, capture_output=True, text=True
        )
        fed = np.concatenate([values.reshape(len(values), -1) for values in inputs], axis=1).astype(np.float32)
        done = subprocess.run([program], input=fed.tobytes(), capture_output=True, check=True)
        return np.frombuffer(done.stdout, np.float32).reshape(-1, size)


def difference(found: np.ndarray, wanted: np.ndarray) -> str:
    """A sentence on the first answer that is another; "" where all are equal."""
    wanted = wanted.reshape(len(wanted), -1)
    if found.shape != wanted.shape:
        return f"{found.shape[0]} answers of {found.shape[1]}, expected {wanted.shape[0]} of {wanted.shape[1]}"
    wrong = np.argwhere(found != wanted)
    if not len(wrong):
        return ""
    vector, place = wrong[0]
    return (
        f"{len(wrong)} of {wanted.size} answers differ; [{vector}, {place}] is "
        f"{wanted[vector, place]}, not {found[vector, place]}"
    )


def main(folder: Path, vectors: Path) -> str:
    arrays = np.load(vectors)
    inputs, wanted = [arrays[f"input{place}"] for place in range(len(arrays) - 1)], arrays["answer0"]
    found = answers(folder, inputs, wanted[0].size, *_CHECKED)
    return difference(found, wanted) or f"equal {wanted.size}"


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2])))
