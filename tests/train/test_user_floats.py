"""A plain float network of the user's own in the train stage: every way to quantise it, weights that are brought, what
is refused in one sentence.
"""

import json

import pytest
import torch
from places import REPOSITORY
from test_user_module import train_with

from microstage.models.floats.parameters import PARAMETERS as FLOATS
from microstage.quantisation.passes.calibrating import CALIBRATIONS
from microstage.quantisation.targets import target_names
from microstage.untrusted.weights import read_weights

STRIPES = (REPOSITORY / "docs" / "adding-a-model.md").read_text().split("```python\n")[2].split("```")[0]
PARAMETERS = {
    "model": "stripes",
    "dataset": "own",
    "seed": 1,
    "epochs": 1,
    "batch": 64,
    "learning_rate": 0.01,
    "width": 4,
    "examples": 256,
    "quantise": "qat",
    "target": "finn",
    "calibrate": "max",
    "float_weights": "",
    "retrain_epochs": 1,
    "retrain_rate": 0.001,
}
BROUGHT = {
    "plain": (lambda state: state, None),
    "wrapped": (lambda state: {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, None),
    "lacking": (
        lambda state: {k: v for k, v in state.items() if k != "out.bias"},
        "weights.pth: the network has out.bias [4], and there is no such tensor",
    ),
    "foreign": (lambda state: {**state, "head.bias": torch.zeros(3)}, "weights.pth: head.bias [3] is no tensor of the"),
    "wider": (lambda state: {**state, "out.bias": torch.zeros(5)}, "out.bias is [5], and the network's is [4]"),
    "spoiled": (
        lambda state: {**state, "out.bias": torch.full((4,), torch.nan)},
        "out.bias has values that are not fin",
    ),
    "whole": (lambda state: torch.nn.Linear(2, 2), "weights.pth: it is no weight file: it asks for"),
    "none": (lambda state: {"epoch": 3}, "weights.pth: it holds something other than named tensors"),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(exit code, output folder) of a network that is trained in floats, calibrated, and trained on."""
    folder = tmp_path_factory.mktemp("stripes")
    return train_with(folder, STRIPES, PARAMETERS), folder / "out"


def test_every_target_can_be_typed():
    assert FLOATS["target"]["choices"] == target_names()
    assert {*FLOATS["calibrate"]["choices"]} == {"", "best", *CALIBRATIONS}


def test_it_is_trained_calibrated_and_trained_on(trained):
    code, out = trained
    metrics = json.loads((out / "metrics.json").read_text())
    assert code == 0 and metrics["loss"].keys() == {"float", "quantised"}
    figures = [metrics[f"test.{step}accuracy"] for step in ("float_", "calibrated_", "")]
    assert all(0 <= figure <= 1 for figure in figures) and 0 < metrics["test.relative_l2"] < 1
    assert "relative L2" in (out / "sensitivity.txt").read_text() and (out / "sensitivity.png").stat().st_size
    assert json.loads((out / "model_def.json").read_text())["target"]["rounding"] == "half-even"


@pytest.mark.parametrize("which", BROUGHT)
def test_weights_are_brought_or_refused_in_one_sentence(trained, tmp_path, capfd, which):
    made, said = BROUGHT[which]
    brought = tmp_path / "beside" / "float_weights"
    brought.mkdir(parents=True)
    state = read_weights(trained[1] / "float_model_weight.pth")
    torch.save(made(state), brought / "weights.pth")
    asked = {**PARAMETERS, "quantise": "qat", "float_weights": "weights.pth"}
    code, err = train_with(tmp_path, STRIPES, asked, beside=tmp_path / "beside"), capfd.readouterr().err
    if said is None:
        found = read_weights(tmp_path / "out" / "float_model_weight.pth")
        assert code == 0 and all(torch.equal(found[name], value) for name, value in state.items())
        assert json.loads((tmp_path / "out" / "metrics.json").read_text())["loss"].keys() == {"quantised"}
        calibrated = {**asked, "quantise": "ptq"}  # nothing at all is trained
        (tmp_path / "calibrated").mkdir()
        assert train_with(tmp_path / "calibrated", STRIPES, calibrated, beside=tmp_path / "beside") == 0
        return
    last = err.strip().splitlines()[-1]
    assert code == 2 and said in last and "Traceback" not in err, err


def test_an_operation_and_a_layer_that_cannot_be_are_named(tmp_path, capfd):
    asked = {**PARAMETERS, "target": "diana-digital"}
    softmax = STRIPES.replace("x = torch.relu(x + self.depthwise(x))", "x = torch.softmax(x + self.depthwise(x), 1)")
    (tmp_path / "softmax").mkdir()
    assert train_with(tmp_path / "softmax", softmax, asked) == 2
    said = capfd.readouterr().err
    last = said.strip().splitlines()[-1]
    assert "epoch" not in said  # it is said before anything is trained
    assert "softmax" in last and "line" in last and "self.depthwise(x), 1)" in last
    wide = STRIPES.replace("nn.Conv2d(1, width, 3, 2, 1,", "nn.Conv2d(1, width, 9, 2, 4,")
    assert train_with(tmp_path, wide, asked) == 2
    last = capfd.readouterr().err.strip().splitlines()[-1]
    assert "diana-digital" in last and "first.0" in last and "kernel 9 x 9" in last
