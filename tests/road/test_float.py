"""The users' road with a float network and example inputs: every integer of its C is that of the quantised file."""

import subprocess
from pathlib import Path

from doors import compiled, environment, made, python_of, volumes

DRAWN = Path(__file__).parents[1] / "float_networks.py"


def test_random_float_graphs_become_c_of_equal_integers(tmp_path):
    subprocess.run([python_of("streamline"), DRAWN, tmp_path, "7"], env=environment(), check=True)
    rows = f"CALIBRATION={tmp_path / 'rows.npz'}"
    folder, said = compiled(tmp_path / "net.onnx", volumes(tmp_path / "volumes"), rows)
    assert "the same class in " in said and "not integer" not in said
    equal = [line.split() for line in said.splitlines() if line.endswith("integers equal")]
    assert len(equal) > 1 and all(words[1] == words[3] for words in equal)
    assert (folder / "net.h").exists()


def test_example_inputs_without_a_network_are_refused():
    refused = made("cbackend", "CALIBRATION=rows.npz", "RUNNER=local")
    assert refused.returncode == 2 and "goes with ONNX=: give the network too" in refused.stderr
