"""LSTM layers of a user's own in the export stage.

What is recorded step by step, and what cannot go on, in one sentence.
"""

import numpy as np
import onnx
import pytest
import torch

from microstage.interface import golden
from microstage.models import user_module
from microstage.stage import stage_main

MODULE = """
import brevitas.nn as qnn
import torch
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerTensorFloat
from microstage.models import exporting
from microstage.models.network import Network


class Net(Network):
    def __init__(self):
        super().__init__()
        self.memory = qnn.QuantLSTM(3, 4, num_layers=2, batch_first=True)
        self.out = qnn.QuantLinear(4, 2, bias=False, weight_quant=Int8WeightPerTensorFloat)

    def forward(self, x):
        return self.out(self.memory(x)[0][:, -1])


class Training:
    pass


class Exporting(exporting.Exporting):
    input, output = "motion", "mood"

    def __init__(self, folder):
        super().__init__(folder)
        self.network = Net()
"""


@pytest.fixture
def export(tmp_path):
    """`export(text)` runs the stage on the module, weights drawn; (exit code, folder)."""
    from microstage_export.__main__ import run

    def call(text: str):
        module, source, out = (tmp_path / name for name in ("module", "train", "out"))
        module.mkdir()
        source.mkdir()
        (module / "model.py").write_text(text)
        (source / "model_def.json").write_text('{"model": "mine", "parameters": {}}')
        motion = np.random.default_rng(0).normal(0, 1, (9, 5, 3)).astype(np.float32)
        golden.save(source / "test.npz", {"motion": motion})
        torch.manual_seed(0)
        network = user_module.load(module).Net()
        with torch.no_grad():
            network(
                torch.from_numpy(motion) if "batch_first=True" in text else torch.from_numpy(motion).transpose(0, 1)
            )
        torch.save(network.weights(), source / "quantised_model_weight.pth")
        folders = [
            "--in",
            f"train={source}",
            "--in",
            f"module={module}",
            "--out",
            str(out),
            "--scratch",
            str(tmp_path / "scratch"),
        ]
        return stage_main("export", run, folders), out

    return call


def test_each_layer_is_walked_and_named_by_its_path(export):
    code, out = export(MODULE)
    assert code == 0
    recorded, graph = golden.load(out / golden.FILE), onnx.load(str(out / "brevitas_export_model.onnx")).graph
    shapes = {
        name: recorded[name].shape
        for name in ("memory.0.input", "memory.0.hidden", "memory.1.cell", "memory.1.forget_acc", "mood")
    }
    assert shapes == {
        "memory.0.input": (9, 5, 3),
        "memory.0.hidden": (9, 5, 4),
        "memory.1.cell": (9, 5, 4),
        "memory.1.forget_acc": (9, 5, 4),
        "mood": (9, 2),
    }
    assert "memory.1.input" not in recorded, "the second layer reads what the first one gives"
    cells = [node for node in graph.node if node.op_type == "QuantLSTMCell"]
    assert [cell.output[0] for cell in cells] == ["memory.0.sequence", "memory.1.sequence"] and cells[1].input[
        0
    ] == "memory.0.sequence"


REFUSED = {
    "batch_first=True": ("batch_first=False", "takes time first; give it batch_first=True"),
    "num_layers=2": ("bidirectional=True", "coupled input gate or runs through time in reverse"),
    "num_layers=2, ": ("coupled_input_forget_gates=True, ", "coupled input gate or runs through time in reverse"),
    "3, 4, num_layers=2": ("3, 4, cell_state_quant=None", "has no cell_state quantiser"),
    "self.memory(x)": ("self.memory(x, torch.zeros(4, len(x), 4))", "starts from a state that it is given"),
}


@pytest.mark.parametrize("found", REFUSED)
def test_what_no_stage_carries_is_one_sentence(export, capfd, found):
    put, said = REFUSED[found]
    text = MODULE.replace(found, put)
    if put == "bidirectional=True":
        text = text.replace("QuantLinear(4, 2", "QuantLinear(8, 2")
    assert text != MODULE and export(text)[0] == 2
    message = capfd.readouterr().err.strip().splitlines()[-1]
    assert said in message and "LSTM memory" in message, message
