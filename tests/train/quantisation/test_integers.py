"""Float networks become integers, every one of which is the quantised network's; a wrong one is found and named."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from integers_of import integers_of
from random_floats import random_network, random_pictures

from microstage import quantisation
from microstage.errors import ModelError, VerificationError
from microstage.integer import gemmlowp
from microstage.quantisation.integers.operations import Product, Requantise
from microstage.quantisation.integers.rescaling import FixedPoint, exact_thresholds
from microstage.quantisation.targets import target_names

_UNTIED = {"diana-digital", "diana-compat", "fpgai"}  # of which floats compute every number exactly


@pytest.mark.parametrize("target", target_names())
@pytest.mark.parametrize("seed", range(2))
def test_random_networks_are_equal_to_the_last_integer(target, seed):
    integer, unseen = integers_of(seed, target), random_pictures(seed + 100)
    compared = integer.verify([unseen])
    assert compared.compared > 1000 and compared.ties <= (0 if target in _UNTIED else compared.compared // 100)
    real = random_network(seed)(unseen).detach().numpy()
    error = np.linalg.norm(integer.predict(unseen) - real) / np.linalg.norm(real)
    assert error < (0.6 if target == "diana-compat" else 0.15)


def _another_rounding(operation):
    return replace(operation, rounding="floor") if isinstance(operation, Requantise) else None


def _another_bias(operation):
    return replace(operation, bias=operation.bias + 9) if isinstance(operation, Product) else None


def _another_end(operation):
    return replace(operation, highest=operation.highest // 4) if isinstance(operation, Requantise) else None


def _another_factor(operation):
    factors = [factor * Fraction(101, 100) for factor in getattr(operation, "factors", ())]
    return replace(operation, factors=tuple(factors)) if factors else None


@pytest.mark.parametrize("change", [_another_rounding, _another_bias, _another_end, _another_factor])
@pytest.mark.parametrize("target", ["diana-digital", "finn", "tflite"])
def test_a_wrong_operation_is_named(target, change):
    integer, unseen = integers_of(0, target), random_pictures(0)
    place, wrong = next((k, change(one)) for k, one in enumerate(integer.operations) if change(one))
    operations = (*integer.operations[:place], wrong, *integer.operations[place + 1 :])
    found = wrong.layer if isinstance(wrong, Requantise) else integer.operations[place + 1].layer
    with pytest.raises(VerificationError, match=f"^Layer {found}: .* integers differ .* expected -?[0-9]+, found"):
        replace(integer, operations=operations).verify([unseen])


@pytest.mark.parametrize("rounding", ["half-up", "half-even", "floor"])
def test_thresholds_round_as_their_name_says(rounding):
    exactly = {
        "floor": lambda q: q.__floor__(),
        "half-even": round,
        "half-up": lambda q: (q + Fraction(1, 2)).__floor__(),
    }
    for factor in (Fraction(1, 8), Fraction(1, 36), Fraction(3, 1), Fraction(0.0123)):
        steps = range(-9, 10)
        thresholds = exact_thresholds(factor, rounding, steps)
        for x in range(-400, 400, 3):
            level = -10 + sum(x >= threshold for threshold in thresholds)
            assert level == min(max(exactly[rounding](x * factor), -10), 9)


@pytest.mark.parametrize("lift", [0, 19])
def test_fixed_point_is_tensorflow_lites(lift):
    factors = [Fraction(0.0371), Fraction(0.5), Fraction(0.9999999999), Fraction(1.7)]
    multiplier, sums = FixedPoint(factors, lift), np.arange(-2000, 2000)
    thresholds = multiplier.thresholds(range(-127, 128))
    for row, factor in enumerate(factors):
        found = -128 + np.searchsorted(thresholds[row], sums, side="right")
        raw = int(multiplier.multiplier[row, 0]), int(multiplier.shift[row, 0])
        assert abs(raw[0] * 2.0 ** (raw[1] - 31 + lift) - float(factor)) < 1e-9
        assert (found == np.clip(gemmlowp.scaled(sums << lift, *raw), -128, 127)).all()


def test_layers_without_anything_in_them_have_integers_as_well():
    network, pictures = random_network(1), random_pictures(1)
    with torch.no_grad():
        network[0].weight[1] = 0
        network[0].weight[2] *= 1e-12
        network[0].bias[1:3] = 3.0
    for target in ("diana-digital", "tflite"):
        quantised = quantisation.quantize(quantisation.prepare(network, pictures[:1]), target).calibrate([pictures])
        integer = quantised.integerize()
        integer.verify([pictures])
        products = [operation for operation in integer.operations if isinstance(operation, Product)]
        assert max(np.abs(product.bias).max() for product in products) < 2**24


def test_a_bias_that_outgrew_its_weights_becomes_integers_and_what_32_bits_do_not_hold_is_refused():
    network, pictures = random_network(1), random_pictures(1)
    quantised = quantisation.quantize(quantisation.prepare(network, pictures[:1])).calibrate([pictures])
    with torch.no_grad():
        quantised.graph_module.get_submodule("0").bias.fill_(1e9)
    assert quantised.integerize().verify([pictures]).ties == 0
    wide, rows = torch.nn.Linear(400_000, 1), torch.ones(2, 400_000)
    torch.nn.init.constant_(wide.weight, 0.99)
    with pytest.raises(ModelError, match="its sums reach [0-9]+, which 32 bits do not hold"):
        quantisation.quantize(quantisation.prepare(wide, rows)).calibrate([rows]).integerize()


def test_a_dataset_of_another_shape_is_one_sentence():
    network = quantisation.quantize(quantisation.prepare(random_network(0), random_pictures(0)[:1]))
    for given, found in (
        (random_pictures(0)[0], "[3, 8, 8]"),
        ([torch.zeros(2, 3, 4, 4)], "[2, 3, 4, 4]"),
        (["x"], "str"),
    ):
        with pytest.raises(ModelError) as refused:
            network.calibrate(given)
        assert (
            str(refused.value) == f"The representative dataset holds {found}; the network takes batches [n, 3, 8, 8]."
        )
    pairs = network.calibrate([(random_pictures(0), torch.zeros(8))]).integerize()
    assert pairs.verify(random_pictures(0)) == pairs.verify(lambda: [random_pictures(0)])
