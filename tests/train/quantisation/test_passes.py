"""Each pass keeps its promise: what it is for gets better, and nothing gets worse."""

import math
from dataclasses import replace

import pytest
import torch
from small_networks import pictures, residual
from torch import nn

from microstage import quantisation
from microstage.errors import ModelError, ParameterError, VerificationError
from microstage.quantisation.passes.error import answers, relative_l2
from microstage.quantisation.preparing import equalising
from microstage.quantisation.quantisers.scales import activation_scales
from microstage.quantisation.quantisers.sums import sum_scales


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


def test_scales_that_training_moved_to_where_a_shift_cannot_follow_are_made_coarser():
    network, batches = quantised()
    for before, after in sum_scales(network.graph_module):
        after.set_threshold(before.threshold / 4)  # the sum finer than its terms
    assert network.integerize().verify(batches).ties == 0


@pytest.mark.parametrize("target", ["diana-digital", "finn", "tflite"])
def test_every_target_has_every_method_and_the_search_finds_better_scales_than_the_largest_value(target):
    batches, errors = pictures(), {}
    prepared = quantisation.prepare(residual(), batches[0])
    for method in ("max", "percentile", "mse", "three-sigma", "best"):
        errors[method] = error(quantisation.quantize(prepared, target).calibrate(batches, method), batches)
    assert errors["mse"] < errors["max"] < errors["three-sigma"] < 0.2, errors
    assert errors["best"] == min(errors["mse"], errors["percentile"])
    with pytest.raises(ParameterError, match="middle.*percentile"):
        quantisation.quantize(prepared).calibrate(batches, "middle")
    with pytest.raises(ModelError, match="no batch"):
        quantisation.quantize(prepared).calibrate([])


def test_equalising_helps_one_scale_for_all_channels_and_is_refused_where_it_changes_the_function(monkeypatch):
    torch.manual_seed(4)
    chain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
    with torch.no_grad():
        chain[0].weight[0] *= 50  # one channel that takes the others' resolution
    batches, per_tensor = pictures(), quantisation.Target.load("diana-digital")
    per_tensor = replace(per_tensor, layers=None, weights=replace(per_tensor.weights, per="tensor"))
    prepared = quantisation.prepare(chain, batches[0])
    plain, equal = (
        error(quantisation.quantize(one, per_tensor).calibrate(batches), batches)
        for one in (prepared, prepared.equalize())
    )
    assert equal < 0.9 * plain
    quantisation.prepare(residual(), batches[0]).equalize()
    monkeypatch.setattr(equalising, "_equalize", lambda graph, regions, **how: graph.first.weight.mul_(1.001))
    with pytest.raises(VerificationError, match="first.* with depthwise .*0.00"):
        quantisation.prepare(residual(), batches[0]).equalize()


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


def scales_of(prepared, target, batches):
    network = quantisation.quantize(prepared, target).calibrate(batches, "mse")
    return [float(q.act_quant.scale()) for s in activation_scales(network.graph_module) for q in s.quantisers.values()]


def test_ranges_are_made_such_that_powers_of_two_suit_them():
    batches, target = pictures(), quantisation.Target.load("diana-digital")
    target = replace(target, activations=replace(target.activations, bits=4))  # the weights' scales matter little
    free = replace(target, activations=replace(target.activations, scale="real"), shift=None)
    torch.manual_seed(2)
    layers = (nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()) for _ in range(6))
    prepared = quantisation.prepare(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *layers), batches[0])
    suited = quantisation.aligned(prepared, target, batches)

    def missed(network):
        return sum(abs(math.log2(scale) - round(math.log2(scale))) for scale in scales_of(network, free, batches))

    assert missed(suited) < 0.7 * missed(prepared)
    quantised = quantisation.quantize(suited, target).calibrate(batches)
    assert error(quantised, batches) < error(quantisation.quantize(prepared, target).calibrate(batches), batches)
    assert quantised.integerize().verify(batches).ties == 0


def test_ranges_that_suit_no_better_are_left():
    batches, target = pictures(), quantisation.Target.load("diana-digital")
    prepared = quantisation.prepare(residual(), batches[0])
    suited = quantisation.aligned(prepared, target, batches)
    plain, found = (error(quantisation.quantize(one, target).calibrate(batches), batches) for one in (prepared, suited))
    assert found <= plain * 1.001
    assert quantisation.aligned(prepared, quantisation.Target.load("finn"), batches) is prepared
