"""The users' road: a file goes in by `make cbackend ONNX=`, C comes out, and it answers what onnxruntime or qonnx answer to the file.

The networks are random, and such that floats compute them exactly (microstage.benchmarks.random_networks): one level off is wrong, not a tie.
"""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from microstage.runner.cli import REPOSITORY
from microstage.runner.declarations import load_stages
from microstage.runner.local import Environments

HERE, SEEDS = Path(__file__).parent, range(10)


@pytest.fixture(scope="module")
def executors():
    """The interpreter that has other people's executors."""
    stage = load_stages(REPOSITORY)["streamline"]
    return Environments(REPOSITORY / "volumes" / ".env").ensure(stage.python, stage.folder / "requirements.lock")


@pytest.fixture(scope="module")
def road(executors, tmp_path_factory):
    """(folder of files and answers, {seed: folder of C})."""
    folder = tmp_path_factory.mktemp("road")
    (folder / "volumes").mkdir()
    (folder / "volumes" / ".env").symlink_to(REPOSITORY / "volumes" / ".env")
    command = [executors, "-m", "microstage.benchmarks.random_networks", folder, *map(str, SEEDS)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY / "shared")}, check=True)
    with ThreadPoolExecutor(2) as pool:
        return folder, dict(zip(SEEDS, pool.map(lambda seed: compiled(folder / f"{seed}.onnx", folder / "volumes"), SEEDS)))


def compiled(network: Path, volumes: Path) -> Path:
    words = ["make", "--silent", "cbackend", f"ONNX={network}", "RUNNER=local", f"VOLUMES={volumes}"]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, f"{network.name}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return Path(next(line for line in done.stdout.splitlines() if line.startswith("result: ")).removeprefix("result: "))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_c_answers_what_an_independent_executor_answers_to_the_file(road, executors, seed):
    folder, made = road
    said = subprocess.run([executors, HERE / "compare.py", made[seed], folder / f"{seed}.npz"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("equal "), said.stdout
