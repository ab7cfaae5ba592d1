"""`make cbackend ONNX=`: a file that something else quantised, through every stage, to C that is published."""

import json
import subprocess
from pathlib import Path

import onnx
import pytest
from quantised import Quantised

from microstage.runner.cli import REPOSITORY

LONG = "functional_1/activation/Relu;functional_1/batch_normalization/FusedBatchNormV3;functional_1/conv2d/BiasAdd/ReadVariableOp/"


def mlp() -> onnx.ModelProto:
    """Two dense layers on bytes, which no plain kernel is needed for; names as long and as alike as exporters write them."""
    q = Quantised(seed=2)
    x = q.input("x", (1, 24))
    for width, depth in ((16, 24), (5, 16)):
        weights, _ = q.weights((depth, width), per_channel=False)
        x = q.quantise(q.node("MatMul", x, weights), 0.05)
    model = q.model(x)
    model.ir_version, model.opset_import[0].version = 8, 13
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [LONG + name for name in names]
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.name = LONG + value.name
    return model


@pytest.fixture(scope="module")
def volumes(tmp_path_factory) -> Path:
    """A volume of its own, with the environments that are here."""
    folder = tmp_path_factory.mktemp("volumes")
    (folder / ".env").symlink_to(REPOSITORY / "volumes" / ".env")
    return folder


def test_what_the_self_test_passed_is_published(volumes, tmp_path):
    onnx.save(mlp(), tmp_path / "mlp.onnx")
    command = ["make", "--silent", "cbackend", f"ONNX={tmp_path / 'mlp.onnx'}", "RUNNER=local", f"VOLUMES={volumes}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    [manifest] = volumes.glob("cbackend/*/manifest.json")
    assert not list(manifest.parent.glob("ms_*.c")) and list(manifest.parent.glob("*_weights.c"))
    assert '"compared"' in json.dumps(json.loads(manifest.read_text()))
