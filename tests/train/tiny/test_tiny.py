"""The tiny networks: each becomes integers for every target; what they learn is split, judged and augmented rightly."""

import numpy as np
import pytest
import torch

from microstage import quantisation
from microstage.datasets.speech.clips import CLASSES
from microstage.models.floats.tasks import area_under_curve, partial_area
from microstage.models.tiny import MODELS
from microstage.models.tiny.networks import float_network
from microstage.models.tiny.sounds import MovedFrames, machine, words
from microstage.quantisation.targets.rules import assert_allowed

SHAPES = {
    "resnet8": (3, 32, 32),
    "dscnn": (1, 49, 10),
    "dae": (640,),
}
WEIGHTS = {  # as published, batch norms and biases left out; of alpha 0.25 where MODELS has it
    "resnet8": 77_360,
    "resnet20": 270_896,
    "mobilenetv1": 208_112,
    "mobilenetv2": 152_328,
    "dscnn": 21_696,
    "dae": 264_192,
}


def drawn(model):
    """A small network with statistics in its batch norms, as a training leaves them, and a batch."""
    torch.manual_seed(1)
    network = float_network({"model": model, "width": 16 if model == "dae" else 8})
    batch = torch.rand(4, *SHAPES[model]) * 2 - 1
    for _ in range(5):
        network.train()(batch)
    return network.eval(), batch


@pytest.mark.parametrize("model", MODELS)
def test_a_network_has_its_published_size(model):
    network = float_network({"model": model, "width": MODELS[model]["width"]})
    weights = [module.weight.numel() for module in network.modules() if hasattr(module, "in_features")]
    weights += [module.weight.numel() for module in network.modules() if hasattr(module, "kernel_size")]
    assert sum(weights) == WEIGHTS[model]


@pytest.mark.parametrize("model", MODELS)
def test_diana_has_every_layer_of_a_network(model):
    assert_allowed(float_network({"model": model, "width": 4}), quantisation.Target.load("diana-digital"))


@pytest.mark.parametrize("model, target", [("resnet8", "diana-digital"), ("dscnn", "tflite"), ("dae", "finn")])
def test_a_network_becomes_the_integers_of_a_target(model, target):
    network, batch = drawn(model)
    quantised = quantisation.quantize(quantisation.prepare(network, batch[:2]), target)
    quantised.calibrate([batch]).correct_bias([batch])
    assert quantised.integerize().verify([batch[:1]]).compared > 1000


def test_a_score_is_judged_by_its_definition():
    rng = np.random.Generator(np.random.PCG64(1))
    healthy, faulty = rng.integers(0, 50, 40).astype(float), rng.integers(10, 60, 30).astype(float)
    pairs = [(f > h) + 0.5 * (f == h) for f in faulty for h in healthy]
    assert area_under_curve(healthy, faulty) == pytest.approx(np.mean(pairs))
    highest = sorted(healthy)[-4:]
    pairs = [(f > h) + 0.5 * (f == h) for f in faulty for h in highest]
    assert partial_area(healthy, faulty) == pytest.approx(np.mean(pairs))


def test_a_clip_is_judged_by_all_of_its_windows_and_a_perfect_echo_tells_nothing():
    task = machine({"clips": 16, "seed": 1}, None)
    (asked,) = (task.splits.test.inputs,)
    assert task.measured(asked)["test.auc"] == 0.5, "nothing is missed: all scores are equal"
    told = torch.from_numpy(task.faulty[task.clip]).float()[:, None]
    assert task.measured(asked + told)["test.auc"] == 1.0 and task.measured(asked + told)["test.examples"] == 16


def test_nobody_who_is_tested_was_trained_on(tmp_path):
    rng = np.random.Generator(np.random.PCG64(1))
    mfcc = rng.normal(size=(600, 49, 10)).astype(np.float32)
    speaker = rng.integers(0, 60, 600)
    names = np.array([f"yes/{number * 0x1000001:08x}_nohash_{clip}.wav" for clip, number in enumerate(speaker)])
    np.savez(tmp_path / "gsc_test_mfcc.npz", mfcc=mfcc, names=names, y=np.full(600, CLASSES.index("yes"), np.uint8))
    task = words({"dataset": "speech-features", "seed": 1}, tmp_path)
    whose = {row.tobytes(): number for row, number in zip(mfcc[:, :, 9], speaker)}  # divided by 1, so as it was
    splits = (task.splits.train, task.splits.validation, task.splits.test)
    people = [{whose[row.tobytes()] for row in part.inputs[:, 0, :, 9].numpy()} for part in splits]
    assert all(people) and not people[0] & people[1] and not people[0] & people[2] and not people[1] & people[2]


def test_words_are_moved_by_up_to_a_tenth_of_a_second():
    clip = torch.arange(49.0)[:, None].expand(49, 10)[None, None]
    moved, _ = MovedFrames(clip, torch.zeros(1)).batch(torch.zeros(200, dtype=torch.long))
    begins = (moved[:, 0, 24, 0] - 24).int()
    assert set(begins.tolist()) == set(range(-5, 6)) and moved.min() == 0 and moved.max() == 48
