"""The users' road with a .tflite file: its C answers what TensorFlow Lite Micro answers."""

import subprocess
from pathlib import Path

import pytest
from doors import compiled, environment, python_of, volumes

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Networks as .tflite files, and what TensorFlow Lite Micro answers; a volume beside them."""
    folder = tmp_path_factory.mktemp("files")
    command = [python_of("streamline"), HERE / "tflite_answers.py", folder]
    subprocess.run(command, env=environment("streamline"), check=True)
    volumes(folder / "volumes")
    return folder


@pytest.mark.parametrize("name", ["residual", "sixteen", "real"])
def test_the_c_answers_what_tensorflow_lite_micro_answers(files, name):
    made, _ = compiled(files / f"{name}.tflite", files / "volumes")
    command = [python_of("streamline"), HERE / "answers.py", made, files / f"{name}.npz"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("equal "), said.stdout
