"""Each pass keeps its promise: what it is for gets better, and nothing gets worse."""

import pytest
import torch
from small_networks import pictures, residual

from microstage import quantisation
from microstage.errors import ModelError, ParameterError
from microstage.quantisation.error import answers, relative_l2


def quantised(target="diana-digital", method=None):
    batches = pictures()
    prepared = quantisation.prepare(residual(), batches[0])
    return quantisation.quantize(prepared, target).calibrate(batches, method), batches


def error(network, batches):
    return relative_l2(answers(network, batches), answers(network.float_network, batches))


@pytest.mark.parametrize("work", ["correct_bias", "reestimate_norms", "adaround"])
@pytest.mark.parametrize("target", ["diana-digital", "tflite"])
def test_what_corrects_never_moves_the_output_away(work, target):
    network, batches = quantised(target, "max")
    before = error(network, batches)
    getattr(network, work)(batches, **({"steps": 20} if work == "adaround" else {}))
    assert error(network, batches) <= before


@pytest.mark.parametrize("target", ["diana-digital", "finn", "tflite"])
def test_every_target_has_every_method_and_the_search_finds_better_scales_than_the_largest_value(target):
    batches, errors = pictures(), {}
    prepared = quantisation.prepare(residual(), batches[0])
    for method in ("max", "percentile", "mse", "three-sigma"):
        errors[method] = error(quantisation.quantize(prepared, target).calibrate(batches, method), batches)
    assert errors["mse"] < errors["max"] < errors["three-sigma"] < 0.2, errors
    with pytest.raises(ParameterError, match="middle.*percentile"):
        quantisation.quantize(prepared).calibrate(batches, "middle")
    with pytest.raises(ModelError, match="no batch"):
        quantisation.quantize(prepared).calibrate([])


def test_a_network_whose_one_layer_is_spoiled_is_most_sensitive_there(tmp_path):
    network, batches = quantised()
    layer = dict(network.graph_module.named_modules())["depthwise"]
    with torch.no_grad():
        layer.weight_quant.tensor_quant.scaling_impl.value += 5  # 32 times as coarse
    sensitivity = network.sensitivity(batches)
    worst = max(sensitivity.rows, key=lambda row: row.relative_l2)
    assert (worst.layer, worst.kind) == ("depthwise", "weights")
    assert sensitivity.table().splitlines()[1].split()[:2] == ["depthwise", "weights"]
    assert {row.kind for row in sensitivity.rows} == {"weights", "activation"}
    sensitivity.draw(tmp_path / "sensitivity.png")
    assert (tmp_path / "sensitivity.png").stat().st_size > 5000
