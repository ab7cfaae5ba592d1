"""Compare generated C with an executor's answers: python compare.py C_FOLDER ANSWERS.npz; a line that begins with `equal`, or what differs.

C_FOLDER is what the cbackend stage wrote; the real numbers go through <name>_infer_float.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def answers(folder: Path, inputs: list[np.ndarray], size: int) -> np.ndarray:
    """float32 [n, size] of the C in `folder`."""
    name = next(folder.glob("*_float.h")).name.removesuffix("_float.h")
    starts = np.cumsum([0, *(values[0].size for values in inputs)])
    facts = {"HEADER": f'"{name}_float.h"', "ARENA": f"{name}_arena", "CTX": f"{name}_ctx", "INFER": f"{name}_infer_float",
             "OK": f"{name.upper()}_OK", "INPUTS": starts[-1], "OUTPUTS": size,
             "ARGUMENTS": ", ".join([*(f"in + {start}" for start in starts[:-1]), "out"])}
    sources = [*folder.glob("*.c")]
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "answer"
        defined = [f"-D{key}={value}" for key, value in facts.items()]
        sanitized = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
        command = ["gcc", "-std=c99", *sanitized, *defined, f"-I{folder}", str(Path(__file__).parent / "answer.c")]
        subprocess.run([*command, *map(str, sources), "-o", str(program)], check=True)
        fed = np.concatenate([values.reshape(len(values), -1) for values in inputs], axis=1).astype(np.float32)
        return np.frombuffer(subprocess.run([program], input=fed.tobytes(), stdout=subprocess.PIPE, check=True).stdout, np.float32).reshape(-1, size)


def main(folder: Path, vectors: Path) -> str:
    arrays = np.load(vectors)
    wanted = arrays["answer0"].reshape(len(arrays["answer0"]), -1)
    inputs = [arrays[f"input{place}"] for place in range(len(arrays) - 1)]
    found = answers(folder, inputs, wanted.shape[1])
    wrong = np.argwhere(found != wanted)
    if len(wrong):
        vector, place = wrong[0]
        return f"{len(wrong)} of {wanted.size} answers differ; [{vector}, {place}] is {wanted[vector, place]}, not {found[vector, place]}"
    return f"equal {wanted.size}"


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2])))
