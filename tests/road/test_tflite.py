"""The users' road with a .tflite file: its C answers what TensorFlow Lite Micro answers."""

import os
import subprocess
from pathlib import Path

import pytest
from doors import compiled, executors, volumes

from microstage_runner.process import REPOSITORY

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", ["residual", "sixteen", "real"])
def test_the_c_answers_what_tensorflow_lite_micro_answers(tmp_path, name):
    python = executors()
    paths = os.pathsep.join(str(REPOSITORY / folder) for folder in ("shared", "stages/streamline"))
    subprocess.run([python, HERE / "tflite_answers.py", tmp_path], env={**os.environ, "PYTHONPATH": paths}, check=True)
    made = compiled(tmp_path / f"{name}.tflite", volumes(tmp_path / "volumes"))
    said = subprocess.run(
        [python, HERE / "answers.py", made, tmp_path / f"{name}.npz"], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("equal "), said.stdout
