"""The interpreter, compiled once for all tests: as fast as it is quick to compile, and under sanitizers."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from microstage_cbackend.interpreter.building import PORTABLE, compile_interpreter


class Interpreter:
    """The compiled program."""

    def __init__(self, program: Path) -> None:
        self.program = program

    def said(self, *words: object, code: int = 0) -> str:
        """What it prints where it ends with `code`, be it an answer or a sentence."""
        done = subprocess.run([str(self.program), *map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stdout if code in (0, 3) else done.stderr

    def infer(self, network: Path, *inputs: np.ndarray) -> np.ndarray:
        """The integers that a network with one output gives for vectors of inputs."""
        files = [network.parent / f"input{i}.npy" for i in range(len(inputs))]
        for file, values in zip(files, inputs):
            np.save(file, values)
        self.said(network, *files, "--output", network.parent / "output.npy")
        return np.load(network.parent / "output.npy")


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory) -> Interpreter:
    """For this machine's instructions; optimised, its many versions of kernels would take a minute to compile."""
    folder = tmp_path_factory.mktemp("interpreter")
    flags = ("-O0", "-march=native", "-DMSN_DISPATCH=0", "-Wall", "-Wextra", "-Werror")
    return Interpreter(compile_interpreter(folder / "microstage-run", flags))


@pytest.fixture(scope="session")
def sanitised(tmp_path_factory) -> Interpreter:
    """Portable, and it ends at the first access or arithmetic that C does not define."""
    folder = tmp_path_factory.mktemp("sanitised")
    checks = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    return Interpreter(compile_interpreter(folder / "microstage-run", (*PORTABLE, *checks)))
