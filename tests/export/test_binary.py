"""The export of a binary network: grey levels in, the class out, and every integer on the way recorded."""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from microstage.interface import golden
from microstage.models.bnn import MODELS
from microstage.models.bnn.definition import BinaryDefinition
from microstage.models.bnn.network import BinaryNetwork
from microstage.stage import stage_main
from microstage_export.__main__ import run


@pytest.fixture(params=["tfc-1w1a", "tfc-2w2a", "cnv-1w1a"])
def trained(request, tmp_path):
    """(folder of a narrow network with 20 steps of batch norm behind it, the network)."""
    definition = BinaryDefinition.from_parameters(
        {"dropout": 0.0, **MODELS[request.param], "model": request.param, "width": 4}
    )
    torch.manual_seed(3)
    network = BinaryNetwork(definition)
    images = torch.randint(0, 256, (16, *definition.image), dtype=torch.uint8)
    with torch.no_grad():
        for _ in range(20):
            network(images)
    torch.save(network.weights(), tmp_path / "quantised_model_weight.pth")
    definition.save(tmp_path)
    golden.save(
        tmp_path / "test.npz", {"image": images.numpy(), "label": np.zeros(16, np.uint8), "real": np.ones(16, np.uint8)}
    )
    return tmp_path, network.eval()


def exported(source):
    """(the model, golden vectors)."""
    assert (
        stage_main(
            "export",
            run,
            ["--in", f"train={source}", "--out", str(source / "out"), "--scratch", str(source / "scratch")],
        )
        == 0
    )
    model = onnx.load(str(source / "out" / "brevitas_export_model.onnx"))
    onnx.checker.check_model(model)
    return model, golden.load(source / "out" / golden.FILE)


def test_what_lies_around_the_network_is_inside_the_graph(trained):
    source, network = trained
    model, recorded = exported(source)
    operators = [node.op_type for node in model.graph.node]
    assert operators.index("Div") < min(place for place, name in enumerate(operators) if name.endswith("Quant"))
    assert operators[-1] == "TopK" and model.graph.node[-1].output[1] == model.graph.output[0].name == "answer"
    with torch.no_grad():
        scores = network(torch.from_numpy(recorded["image"])).numpy()
    assert np.array_equal(recorded["answer"][:, 0], scores.argmax(1)) and len(np.unique(recorded["answer"])) > 1


def test_levels_are_those_of_the_widths(trained):
    source, network = trained
    d = network.definition
    model, recorded = exported(source)
    count = Counter(node.op_type for node in model.graph.node)
    products, acts = len(d.convolutions) + len(d.widths) - 1, len(d.convolutions) + len(d.widths) - 2
    assert (count["Conv"], count["MatMul"]) == (len(d.convolutions), len(d.widths) - 1) and count[
        "BatchNormalization"
    ] == acts
    assert count["BipolarQuant"] == products * (d.weight_bits == 1) + acts * (d.act_bits == 1) + (d.input_bits == 1)
    assert count["BipolarQuant"] + count["Quant"] == products + acts + 1
    hidden = [values for name, values in recorded.items() if name.endswith(".act")]
    assert len(hidden) == acts and all(
        {*np.unique(values)} <= {-1, 1} | ({0} if d.act_bits == 2 else set()) for values in hidden
    )
