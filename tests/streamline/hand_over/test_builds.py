"""The folder that is handed over, with an unmodified finn-plus in the stage's environment: up to FINN's code."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from stage_runs import FIXTURES, StageOnFile, StageOnParts
from tflite_networks import separable

from microstage.interface import golden

# torch, which FINN imports for its layer norm alone, is none of the stage's packages
RUN = (
    "import runpy, sys; from microstage_streamline.finn.torch_stub import provide; provide();"
    " sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)
NETWORKS = {
    "harmonic": ("qcdq", ["subcnn", "sublstm", "submlp"]),
    "keywords": ("kws/qcdq", ["model"]),
    "tfc": ("bnn/tfc/qcdq", ["model"]),
    "cnv": ("bnn/cnv/qcdq", ["model"]),
}
PARTS = [(network, part) for network, (_, parts) in NETWORKS.items() for part in parts]


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory, made):
    """Return the artefact of a network, made when it is asked for first. Not to be changed."""
    known = {"harmonic": made.out}

    def of(network):
        if network not in known:
            stage = StageOnParts(tmp_path_factory.mktemp(network), FIXTURES / NETWORKS[network][0])
            assert stage.run() == 0
            known[network] = stage.out
        return known[network]

    return of


def build(folder, out):
    """Run build.py as a user does, without Vivado."""
    left_out = ("PYTEST_CURRENT_TEST", "FINN_BUILD_DIR", "XILINX_VIVADO")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    command = [sys.executable, "-c", RUN, str(folder / "build.py"), str(out)]
    return subprocess.run(command, env=environment, cwd=out.parent, capture_output=True, text=True)


@pytest.mark.parametrize(("network", "part"), PARTS)
def test_finn_builds_every_graph_up_to_its_code_as_it_was_estimated(artefacts, tmp_path, network, part):
    folder = artefacts(network) / "finn" / part
    done = build(folder, tmp_path / "built")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "integers compared, none differs" in done.stdout
    reports = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "built" / "report").glob("*.json")}
    estimates = json.loads((artefacts(network) / "estimates.json").read_text())["parts"]
    (said,) = [found for name, found in estimates.items() if name.split("_")[0] == part or len(estimates) == 1]
    assert reports["estimate_layer_cycles"] == said["cycles"]
    assert {kind: reports["estimate_layer_resources"]["total"][kind] for kind in said["resources"]} == said["resources"]
    assert reports["estimate_network_performance"]["critical_path_cycles"] == said["latency_bound_cycles"]
    written = [path.name for path in (tmp_path / "built" / "code").iterdir()]
    assert all(any(f"_{layer}_" in name for name in written) for layer in said["cycles"]), written


def test_an_average_and_a_softmax_behind_it_do_not_keep_finn_from_its_code(tmp_path):
    """FINN has no C++ for the average's weights of 0 and 1; the softmax is not FINN's."""
    stage = StageOnFile(tmp_path / "softmax")
    stage.parameters["partial"] = True
    assert stage.run(separable(0)[0]) == 0
    done = build(stage.out / "finn" / "model", tmp_path / "built")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "integers compared, none differs" in done.stdout


def test_hidden_and_cell_are_at_the_ports_that_are_named(artefacts):
    folder = artefacts("harmonic") / "finn" / "sublstm"
    ports = json.loads((folder / "ports.json").read_text())
    at = {port["name"]: np.load(folder / port["file"]) for side in ports.values() for port in side}
    vectors = golden.load(artefacts("harmonic") / golden.FILE)
    for state in ("hidden", "cell"):
        steps = vectors[state][0, : len(at[state])]
        assert np.any(steps) and np.array_equal(at[f"{state}_next"], steps)
        assert np.array_equal(at[state], np.concatenate([np.zeros_like(steps[:1]), steps[:-1]]))
    assert [port["name"] for port in ports["outputs"]] == ["cell_next", "hidden_next"]  # FINN's order, not ours


def test_a_port_under_another_name_ends_the_build(artefacts, tmp_path):
    made = tmp_path / "artefact"
    shutil.copytree(artefacts("harmonic"), made)
    file = made / "finn" / "sublstm" / "ports.json"
    ports = json.loads(file.read_text())
    ports["outputs"].reverse()
    file.write_text(json.dumps(ports))
    done = build(file.parent, tmp_path / "built")
    assert done.returncode == 1 and "are not those of" in done.stdout


def test_bits_that_are_counted_keep_sums_that_hold_all_of_them(artefacts):
    """FINN narrows such sums as if they were of -1 and 1, and half as many would fit."""
    said = json.loads((artefacts("cnv") / "finn" / "model" / "build.json").read_text())
    assert said["minimize_bit_width"] is False
    assert json.loads((artefacts("harmonic") / "finn" / "submlp" / "build.json").read_text())["minimize_bit_width"]
