"""An operator is added by docs/adding-an-operator.md, whose own code runs here, and a file with it goes all the way to
C.
"""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from doors import environment, python_of
from onnx import TensorProto, helper, numpy_helper
from stage_runs import StageOnFile

from microstage.integer.registry import OPERATORS
from microstage.interface import golden

REPOSITORY = Path(__file__).resolve().parents[2]
_FOLDER = """
import sys
from microstage.stage import stage_main
from microstage_cbackend.__main__ import run
raise SystemExit(stage_main("cbackend", run, sys.argv[1:]))
"""


@pytest.fixture
def page():
    """The two pieces of code; what they register is gone afterwards."""
    text, before = (REPOSITORY / "docs" / "adding-an-operator.md").read_text(), dict(OPERATORS)
    yield re.findall(r"```python\n(.*?)```", text, re.S)
    OPERATORS.clear()
    OPERATORS.update(before)


def file_with_both():
    """conv, a function, quantised; its first channels in another order; conv, quantised."""
    rng = np.random.Generator(np.random.PCG64(0))
    constants = {"zero": np.int8(0), "one": np.float32(0.0517), "two": np.float32(0.313), "w.scale": np.float32(0.0203)}
    constants |= {
        "w1": rng.integers(-90, 90, (8, 2, 3, 3)).astype(np.int8),
        "w2": rng.integers(-90, 90, (3, 8, 3, 3)).astype(np.int8),
    }
    constants |= {"lengths": np.array([5])}
    quantise = [
        (name, kind, scale)
        for name, scale in (("x", "one"), ("n", "two"), ("c2", "two"))
        for kind in ("QuantizeLinear", "DequantizeLinear")
    ]
    q = {
        name: [
            helper.make_node(
                kind, [name if kind[0] == "Q" else f"{name}.q", scale, "zero"], [f"{name}.{kind[0].lower()}"]
            )
            for tensor, kind, scale in quantise
            if tensor == name
        ]
        for name in ("x", "n", "c2")
    }
    weights = [helper.make_node("DequantizeLinear", [w, "w.scale", "zero"], [f"{w}.d"]) for w in ("w1", "w2")]
    nodes = [
        *weights,
        *q["x"],
        helper.make_node("Conv", ["x.d", "w1.d"], ["c1"], pads=[1] * 4),
        helper.make_node("Asinh", ["c1"], ["n"]),
        *q["n"],
        helper.make_node("ReverseSequence", ["n.d", "lengths"], ["s"], batch_axis=0, time_axis=1),
        helper.make_node("Conv", ["s", "w2.d"], ["c2"]),
        *q["c2"],
    ]
    border = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("x", [1, 2, 5, 5]), ("c2.d", [1, 3, 3, 3]))
    ]
    kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return helper.make_model(
        helper.make_graph(nodes, "both", *border, kept), opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    )


def test_the_pages_operators_go_from_a_file_to_c(tmp_path, page):
    own, model = StageOnFile(tmp_path), file_with_both()
    own.parameters["partial"] = True
    assert own.run(model) == 0 and any("Asinh" in found["reason"] for found in own.unresolved())
    exec(compile(page[0], "adding-an-operator", "exec"), {"__name__": "page"})
    own.parameters["partial"] = False
    assert own.run(model) == 0

    vectors, said = golden.load(own.out / golden.FILE), own.interface()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    scale, outputs = said["inputs"]["x"]["scale"], list(said["outputs"])
    found = [session.run(None, {"x": (x[None] * np.float32(scale)).astype(np.float32)})[0] for x in vectors["x"][:64]]
    assert np.array_equal(
        np.rint(np.concatenate(found) / said["outputs"][outputs[0]]["scale"]), vectors[outputs[0]][:64]
    )

    words = ["--in", f"streamline={own.out}", "--out", str(tmp_path / "c"), "--scratch", str(tmp_path / "scratch")]
    done = subprocess.run(
        [python_of("cbackend"), "-c", "".join(page) + _FOLDER, *words],
        env=environment("cbackend"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    proved = json.loads((tmp_path / "c" / "report.json").read_text())["verification"]
    assert any(outputs[0] in v["boundary"] for v in proved) and all(v["equal"] == v["compared"] > 0 for v in proved)
