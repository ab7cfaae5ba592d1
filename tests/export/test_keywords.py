"""The export of a feed-forward network: quantisers named by module path, their integers recorded as data flows by."""

import json

import numpy as np
import onnx
import pytest
import torch
from definitions import keyword_definition

from microstage.interface import golden
from microstage.models.definition import FILE
from microstage.models.kws.network import KeywordNetwork
from microstage.stage import stage_main


@pytest.fixture
def trained(tmp_path):
    """(folder of a network with 40 steps of batch norm behind it, the network)."""
    definition = keyword_definition(40.0, hidden=8, layers=2)
    torch.manual_seed(3)
    network = KeywordNetwork(definition)
    mfcc = torch.randn(64, 490) * 15
    with torch.no_grad():
        for _ in range(40):
            network(mfcc)
    torch.save(network.weights(), tmp_path / "quantised_model_weight.pth")
    definition.save(tmp_path)
    golden.save(
        tmp_path / "test.npz", {"mfcc": mfcc.numpy(), "label": np.zeros(64, np.int64), "real": np.ones(64, np.uint8)}
    )
    return tmp_path, network.eval()


def run(source) -> int:
    from microstage_export.__main__ import run

    return stage_main(
        "export", run, ["--in", f"train={source}", "--out", str(source / "out"), "--scratch", str(source / "scratch")]
    )


def test_names_and_integers_are_the_networks_own(trained):
    source, network = trained
    assert run(source) == 0
    model = onnx.load(str(source / "out" / "brevitas_export_model.onnx"))
    onnx.checker.check_model(model)
    made = {name for node in model.graph.node for name in node.output}
    assert {
        "features",
        "layers.0.act",
        "layers.1.act",
        "logits",
        "layers.0.linear.weight.quantised",
    } <= made and model.graph.name == "kws-w3a3"
    recorded = golden.load(source / "out" / golden.FILE)
    with torch.no_grad():
        x = network.features(torch.from_numpy(recorded["mfcc"]))
        assert np.array_equal(recorded["features"], np.rint(x.numpy() / (40.0 / 127)))
        for index, layer in enumerate(network.layers):
            x = layer(x)
            assert np.array_equal(recorded[f"layers.{index}.act"], np.rint(x.numpy() * 7)) and np.any(
                recorded[f"layers.{index}.act"]
            )
        assert np.array_equal(recorded["logits"], network.out(x).numpy().astype(np.float64))


@pytest.mark.parametrize(
    "change,said",
    [
        ({"hidden": 9}, "do not fit"),
        ({"weight_bits": -1}, "weight_bits=-1"),
        ({"act_bits": 3.5}, "act_bits=3.5"),
        ({"wide": 1}, "no definition of a keyword network"),
    ],
)
def test_a_damaged_definition_is_one_sentence(trained, capfd, change, said):
    source, _ = trained
    described = json.loads((source / FILE).read_text())
    described["parameters"] |= change
    (source / FILE).write_text(json.dumps(described))
    assert run(source) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert said in line
