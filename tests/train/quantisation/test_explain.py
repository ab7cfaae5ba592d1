"""Floats beside integers of networks that are trained here: a scale that clips, or one of few levels, has a name."""

import json

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerTensorFloat, Uint8ActPerTensorFloat
from small_networks import pictures, residual
from torch import nn

from microstage import quantisation
from microstage.explaining.brevitas_twins import BrevitasTwins
from microstage.explaining.float_twins import FloatTwins
from microstage.explaining.measuring import explained
from microstage.explaining.watching import in_floats
from microstage.interface import golden
from microstage.models import exporting
from microstage.models.floats.exporting import FloatExporting
from microstage.models.network import Network
from microstage.quantisation import aligning
from microstage.quantisation.quantisers.scales import activation_scales


def explanation(twins, sample=5):
    return explained(twins, sample, lambda items, total, label: iter(items))


class Pictures(FloatExporting):
    input, output = "pictures", "scores"

    @staticmethod
    def float_network(parameters):
        return residual()


@pytest.fixture(params=["float_model_weight.pth", "mine_raw.pth"])
def trained(request, tmp_path):
    """The artefact of a training whose float weights are those of `residual`."""
    inputs = torch.cat(pictures())
    about = {"input": "pictures", "output": "scores", "target": quantisation.Target.load("tflite").described()}
    described = {"model": "mine", "parameters": {"quantise": "ptq"}, "classes": list("abcd"), **about}
    (tmp_path / "model_def.json").write_text(json.dumps(described))
    golden.save(tmp_path / "test.npz", {"pictures": inputs.numpy(), "real": np.ones(len(inputs), np.uint8)})
    torch.save(residual().state_dict(), tmp_path / request.param)
    return tmp_path


def test_the_activation_whose_scale_clips_is_named(trained):
    spoiled = "relu_1_module" if list(trained.glob("*_raw.pth")) else "scores_output_quant"
    made = Pictures(trained)
    made.network.calibrate(pictures())
    scales = {name: one for one in activation_scales(made.network.graph_module) for name in one.quantisers}
    scales[spoiled].set_threshold(scales[spoiled].threshold / 20)
    twins = FloatTwins(made, trained)
    found = explanation(twins)
    assert found["noisiest"] == found["sample"]["largest"] == f"{spoiled}, levels"
    shares = [layer["share"] for layer in found["sample"]["layers"]]
    assert sum(shares) == pytest.approx(1, abs=1e-4) and found["sample"]["rest"]["share"] == pytest.approx(0, abs=1e-6)
    rows = np.arange(4)
    assert np.array_equal(twins.in_integers(rows).answer, made.network.integerize().predict(made.examples[:4]))


@pytest.mark.parametrize("trained", ["mine_raw.pth"], indirect=True)
def test_tensors_that_count_in_other_units_are_compared_in_those(trained):
    described = json.loads((trained / "model_def.json").read_text())
    described["target"] = quantisation.Target.load("diana-digital").described()
    (trained / "model_def.json").write_text(json.dumps(described))
    made, batches = Pictures(trained), pictures()
    prepared = quantisation.prepare(residual(), batches[0])
    suited = aligning._with_factors(prepared, made.network.target, batches)
    assert not torch.equal(suited.graph_module.first.weight, prepared.graph_module.first.weight)
    shipped = quantisation.quantize(suited, made.network.target).calibrate(batches)
    made.network.load_weights(shipped.weights())
    found = explanation(FloatTwins(made, trained))
    inputs = torch.cat(batches)
    floats, integers = residual()(inputs).detach().numpy(), made.network.integerize().predict(inputs)
    decibels = 20 * np.log10(np.linalg.norm(floats) / np.linalg.norm(integers - floats))
    assert found["answer"]["so_far_db"] == pytest.approx(decibels, abs=0.2)
    assert all(layer["by_itself_db"] is None or layer["by_itself_db"] > 20 for layer in found["layers"])


class Recurrent(Network):
    """Two dense layers around an LSTM; the second activation has few levels."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.enters = qnn.QuantIdentity(act_quant=_fixed(Int8ActPerTensorFloat, 8, 3.0))
        self.first = qnn.QuantLinear(3, 6, bias=False, weight_quant=Int8WeightPerTensorFloat)
        self.act = qnn.QuantReLU(act_quant=_fixed(Uint8ActPerTensorFloat, bits, 2.0))
        self.memory = qnn.QuantLSTM(6, 5, num_layers=2, batch_first=True)
        self.out = qnn.QuantLinear(5, 4, bias=False, weight_quant=Int8WeightPerTensorFloat)

    def forward(self, x):
        return self.out(self.memory(self.act(self.first(self.enters(x))))[0][:, -1])


def _fixed(base, bits, largest):
    return base.let(bit_width=bits, scaling_impl_type=ScalingImplType.CONST, scaling_init=largest)


class Gestures(exporting.Exporting):
    input, output = "motion", "gesture"


def test_of_a_network_trained_with_quantisers_the_activation_with_few_levels_is_named_and_ties_are_no_layers(tmp_path):
    (tmp_path / "model_def.json").write_text(json.dumps({"model": "mine", "parameters": {}, "classes": list("abcd")}))
    motion = np.random.default_rng(3).normal(size=(24, 7, 3)).astype(np.float32)
    golden.save(tmp_path / "test.npz", {"motion": motion})
    made = Gestures(tmp_path)
    made.network = Recurrent(bits=3)
    made.network(torch.from_numpy(motion))  # scales that are statistics settle
    made.network.eval()
    with torch.no_grad():
        answers = made.network(torch.from_numpy(motion)).numpy()
    answers[5, 0] += 1e-3  # as a tie would
    twins = BrevitasTwins(made, {"motion": motion, "real": np.ones(24, np.uint8), "real.gesture": answers})
    found = explanation(twins)
    assert [layer["layer"] for layer in found["layers"]] == ["enters", "first", "act", "memory", "out"]
    assert found["noisiest"] == found["sample"]["largest"] == "act"
    rest = found["sample"]["rest"]
    assert rest["size"] == pytest.approx(1e-3, rel=0.01)
    assert sum(layer["share"] for layer in found["sample"]["layers"]) + rest["share"] == pytest.approx(1, abs=1e-4)
    with torch.no_grad():
        again = made.network(torch.from_numpy(motion)).numpy()
    assert np.array_equal(again[6:], answers[6:]), "quantisers are on again"


def test_a_sign_is_a_line_and_a_decision_stays_one_in_floats(tmp_path):
    sign = Int8ActPerTensorFloat.let(bit_width=2, scaling_impl_type=ScalingImplType.CONST, scaling_init=1.0)
    decision = _fixed(Uint8ActPerTensorFloat, 1, 1.0)
    network = nn.ModuleList([qnn.QuantIdentity(act_quant=sign), qnn.QuantIdentity(act_quant=decision)]).eval()
    x = torch.tensor([-3.0, -0.4, 0.3, 0.6, 3.0])
    with torch.no_grad(), in_floats(network):
        held, decided = (layer(x) for layer in network)
    assert torch.allclose(held, x.clamp(-held.abs().max(), held.abs().max())) and held[1] == -0.4
    assert decided.tolist() == [0, 0, 0, 1, 1]
