"""Binary networks.

Fused training computes what brevitas' layers compute; the recipe is the published one; the stage trains them.
"""

import json
import math

import numpy as np
import pytest
import torch
from conftest import contents

from microstage.models.bnn import MODELS, PARAMETERS
from microstage.models.bnn.adam import FlatAdam
from microstage.models.bnn.definition import BinaryDefinition
from microstage.models.bnn.dropout import masks
from microstage.models.bnn.network import BinaryNetwork
from microstage.models.bnn.train import extremes, squared_hinge
from microstage.models.shifted_images import ShiftedImages

DENSE = [model for model in MODELS if model.startswith("tfc")]
TINY = {"width": 32, "epochs": 12, "batch": 20, "images": 800, "held_out": 100, "halvings": 6.0}


def parameters(model, **changed):
    """Every parameter of the stage as `model` has it."""
    declared = {name: fields["default"] for name, fields in PARAMETERS.items()}
    return {**declared, **MODELS[model], "model": model, "seed": 1, **changed}


def network(model, fast=True, **changed):
    torch.manual_seed(3)
    return BinaryNetwork(BinaryDefinition.from_parameters(parameters(model, **changed)), fast)


def step(net, images, targets):
    """(scores, gradients, running statistics) of one training step under one seed of the dropout."""
    torch.manual_seed(7)
    scores = net.train()(images)
    squared_hinge(scores, targets).backward()
    kept = {name: value for name, value in net.state_dict().items() if "running" in name}
    return scores.detach(), {name: p.grad for name, p in net.named_parameters()}, kept


@pytest.mark.parametrize("model", [*DENSE, "lfc-1w1a", "cnv-1w1a", "cnv-2w2a"])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_fused_layers_are_brevitas_layers(model, dropout):
    changed = {"width": 8 if model.startswith("cnv") else 32, "dropout": dropout}
    stock, fused = network(model, fast=False, **changed), network(model, **changed)
    count = 8 if model.startswith("cnv") else 40
    images = torch.randint(0, 256, (count, *stock.definition.image), dtype=torch.uint8)
    targets = torch.randn(count, 10).sign()
    (given, wanted, statistics), (found, gradients, kept) = step(stock, images, targets), step(fused, images, targets)
    assert torch.equal(given, found)
    assert all(torch.equal(kept[name], value) for name, value in statistics.items())
    for name, value in wanted.items():
        assert (gradients[name] - value).norm() <= 1e-5 * value.norm() + 1e-12, name
    assert torch.equal(stock.eval()(images), fused.eval()(images))


def test_images_that_are_quantised_once_score_the_same():
    for model in DENSE:
        net = network(model).eval()
        levels = torch.arange(256, dtype=torch.uint8).repeat(10 * 784 // 256 + 1)[: 10 * 784].view(10, 1, 28, 28)
        assert torch.equal(net(net.integers(levels)), net(levels))


def test_the_flat_adam_is_adam():
    one, two = network("tfc-1w2a"), network("tfc-1w2a")
    sides = (one, torch.optim.Adam(one.parameters(), lr=0.02)), (two, FlatAdam(two.parameters(), lr=0.02))
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        drawn = [torch.randn(p.shape, generator=generator) for p in one.parameters()]
        for net, optimiser in sides:
            optimiser.zero_grad()
            for parameter, gradient in zip(net.parameters(), drawn):
                parameter.grad = gradient.clone()
            optimiser.step()
    assert all(torch.allclose(a, b, rtol=1e-6, atol=1e-7) for a, b in zip(one.parameters(), two.parameters()))


def test_dropout_drops_its_share_and_keeps_the_expectation():
    torch.manual_seed(1)
    whole, part = masks(0.2, [(500, 400), (500, 80)])
    assert whole.unique().tolist() == part.unique().tolist() == [0.0, 1.25]
    assert math.isclose(float((whole == 0).float().mean()), 0.2, abs_tol=0.005)
    assert abs(float(whole.mean()) - 1) < 0.01
    torch.manual_seed(1)
    assert torch.equal(masks(0.2, [(500, 400)])[0], whole)


def test_the_loss_is_the_squared_hinge():
    scores, targets = torch.randn(6, 10, requires_grad=True), torch.randn(6, 10).sign()
    plain = torch.clamp(1 - scores * targets, min=0).square().mean()
    assert torch.allclose(squared_hinge(scores, targets), plain)
    (mine,) = torch.autograd.grad(squared_hinge(scores, targets), scores)
    (theirs,) = torch.autograd.grad(plain, scores)
    assert torch.allclose(mine, theirs)


def test_photographs_move_by_up_to_four_pixels_and_turn_round():
    image = torch.arange(3 * 32 * 32).remainder(251).to(torch.uint8).view(1, 3, 32, 32)
    padded = torch.nn.functional.pad(image, [4] * 4)[0]
    wanted = {
        (y, x, m): w.flip(2) if m else w
        for y in range(9)
        for x in range(9)
        for m in (0, 1)
        for w in [padded[:, y : y + 32, x : x + 32]]
    }
    examples = ShiftedImages(image, torch.zeros(1, 10), 4, 0.0, True)
    drawn, _ = examples.batch(torch.zeros(60, dtype=torch.long))
    places = [next(place for place, one in wanted.items() if torch.equal(one, photograph)) for photograph in drawn]
    assert len(set(places)) > 30


def test_digits_move_by_up_to_a_pixel_and_are_not_mirrored():
    digits = torch.where(torch.rand(2, 1, 28, 28) < 0.5, -1, 1).to(torch.int8)
    padded = torch.nn.functional.pad(digits, [1] * 4, value=-1)
    wanted = [padded[:, :, y : y + 28, x : x + 28] for y in range(3) for x in range(3)]
    examples = ShiftedImages(digits, torch.zeros(2, 10), 1, -1.0, False)
    drawn, _ = examples.batch(torch.tensor([0, 1]).repeat(50))
    places = [
        next(k for k, one in enumerate(wanted) if torch.equal(one[i % 2], digit)) for i, digit in enumerate(drawn)
    ]
    assert {*places} == {*range(9)}


def test_extremes_reach_both_ends_of_every_pixel():
    hard = extremes((3, 32, 32))
    assert hard.dtype == np.uint8 and hard.min(0).max() == 0 and hard.max(0).min() == 255


def test_a_dataset_of_another_shape_is_refused(train):
    done, _ = train("wrong", **parameters("tfc-1w1a", dataset="cifar10"))
    assert done.returncode == 2 and "DATASET=mnist" in done.stderr


@pytest.mark.parametrize("model", ["tfc-1w1a", "tfc-2w2a"])
def test_glyphs_are_learnt_and_equal_runs_give_equal_bytes(train, model):
    chosen = parameters(model, **TINY, dropout=0.0)
    (first, out), (_, again) = train("first", **chosen), train("again", **chosen)
    assert first.returncode == 0, first.stderr
    assert contents(out) == contents(again)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["test.accuracy"] > 0.3 and "synthetic glyphs" in metrics["test.origin"]
    assert json.loads((out / "model_def.json").read_text())["inputs"]["image"]["range"] == [0, 255]
