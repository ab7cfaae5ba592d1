"""The tutorial on microcontrollers, command by command, with the network that it names and with a .tflite file."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from microstage_runner.declarations.checkout import load_stages
from microstage_runner.engines.local import Environments
from microstage_runner.process import REPOSITORY

PAGE = (REPOSITORY / "docs" / "tutorials" / "microcontroller.md").read_text()
COMMANDS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
SHOWN = re.findall(r"^ {4}(.*)$", PAGE.split("and runs it under qemu")[1].split("```")[0], re.MULTILINE)
_HERE = """set -euo pipefail
make() {
    case "$1" in
    -C) command make --silent "$@" ;;
    *) command make --silent "$@" RUNNER=local VOLUMES="$PWD/volumes" ;;
    esac
}
"""
_TFLITE = """import numpy as np
from pathlib import Path
from tflite_networks import Network
net = Network(np.random.default_rng(0))
dense = net.dense(net.dense(net.input([1, 490]), 8, activation=1), 12)
net.save(Path("words.tflite"), net.unary("SOFTMAX", dense, "SoftmaxOptions", beta=1.0))
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """The folder that the commands are typed in: this checkout, with a volume of its own."""
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm", "cmake"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    for entry in REPOSITORY.iterdir():
        if entry.name not in ("volumes", ".git"):
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "volumes").mkdir()
    (tmp_path / "volumes" / ".env").symlink_to(REPOSITORY / "volumes" / ".env")
    return tmp_path


def typed(commands: list[str], checkout: Path) -> str:
    """What they print, one after another; every one must end well."""
    words = ["timeout", "300", "bash", "-c", _HERE + "\n".join(commands)]
    done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert re.search(r"^equal (?!real)\S+ (\d+) \1$", done.stdout, re.MULTILINE) and re.fullmatch(
        r"-?\d+ -?\d+ -?\d+", lines[-1]
    )
    shapes = {re.sub(r"-?\d+", "#", line) for line in lines}
    assert len(SHOWN) == 4 and {re.sub(r"-?\d+", "#", line) for line in SHOWN if line != "..."} <= shapes
    return done.stdout


def test_every_command_of_the_page_runs_and_prints_lines_as_it_says(checkout):
    assert len(COMMANDS) == 5 and "onnxruntime" in typed(COMMANDS, checkout)


def test_they_run_with_a_tflite_file_in_its_place(checkout):
    stage = load_stages(REPOSITORY)["streamline"]
    python = Environments(REPOSITORY / "volumes" / ".env").ensure(stage.python, stage.folder / "requirements.lock")
    around = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests" / "streamline")}
    subprocess.run([python, "-c", _TFLITE], cwd=checkout, env=around, check=True)
    there = [command.replace("words.onnx", "words.tflite") for command in COMMANDS[1:]]
    assert "TensorFlow Lite Micro" in typed(there, checkout)
