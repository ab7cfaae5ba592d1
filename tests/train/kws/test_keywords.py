"""Training to spot keywords: the published weights of classes, noise drawn anew, the same bytes after a kill."""

import json
import shutil

import numpy as np
import pytest
import torch
from conftest import contents
from definitions import keyword_definition

from microstage.datasets.speech.clips import CLASSES
from microstage.interface import golden
from microstage.models.kws.network import KeywordNetwork
from microstage.models.kws.train import Training, class_weights, extremes

SMALL = {
    "model": "kws-w3a3",
    "dataset": "words",
    "split": "official",
    "clips": 240,
    "epochs": 3,
    "batch": 64,
    "learning_rate": 0.002,
    "noise_frequency": 0.8,
    "noise_volume": 0.1,
    "hidden": 16,
    "layers": 2,
    "dropout": 0.1,
    "input_bits": 8,
    "weight_bits": 3,
    "act_bits": 3,
    "seed": 1,
}


def test_what_it_leaves_behind_is_the_same_after_a_kill(train, tmp_path):
    done, whole = train("whole", **SMALL)
    assert done.returncode == 0, done.stderr
    train.kill("cut", "quantised.checkpoint", **SMALL)
    shutil.rmtree(tmp_path / "cut.out", ignore_errors=True)
    done, resumed = train("cut", **SMALL)
    assert done.returncode == 0 and "epoch 1/3" not in done.stderr, "it began anew"
    assert contents(resumed) == contents(whole)

    metrics = json.loads((whole / "metrics.json").read_text())
    confusion = np.array(metrics["test.confusion"])
    assert confusion.shape == (12, 12) and confusion.sum() == metrics["test.examples"] == 120
    assert metrics["test.accuracy"] == pytest.approx(np.trace(confusion) / 120) and set(
        metrics["test.accuracy_of"]
    ) == set(CLASSES)
    assert "no speech was used" in metrics["test.origin"]
    assert all((whole / name).read_bytes().startswith(b"\x89PNG") for name in ("curves.png", "confusion.png"))
    replayed = golden.load(whole / "test.npz")
    assert replayed["mfcc"].shape[1] == 490 and (replayed["label"][replayed["real"] == 0] == -1).all()


def test_classes_weigh_one_minus_their_share_and_unknown_less_still():
    labels = torch.tensor([0] * 10 + [1] * 30 + [11] * 60)
    weights = class_weights(labels)
    shares = np.array([0.1, 0.3, *[0.0] * 9, 0.6])
    wanted = (1 - shares) / np.where(np.arange(12) == 11, 3.6, 1)
    assert np.allclose(weights, wanted / wanted.sum())


def test_noise_is_added_to_that_share_of_the_clips_and_to_no_test_clip():
    training = Training({**SMALL, "noise_frequency": 0.5}, None)
    rows = torch.arange(240)
    torch.manual_seed(0)
    batches = [training.splits.train.batch(rows)[0] for _ in range(2)]
    changed = [(batch != training.splits.train.inputs).any(dim=1) for batch in batches]
    assert all(80 < int(rows.sum()) < 160 for rows in changed) and not torch.equal(*batches)
    assert torch.equal(training.splits.test.batch(rows[:50])[0], training.splits.test.inputs[:50])
    quiet = Training({**SMALL, "noise_volume": 0.0}, None).splits.train
    louder_only_by_rounding = (quiet.batch(rows)[0] - quiet.inputs).abs().mean()
    assert louder_only_by_rounding < (batches[0] - training.splits.train.inputs).abs().mean()


def test_the_network_is_the_published_one():
    definition = keyword_definition(42.7663)
    network = KeywordNetwork(definition).eval()
    assert (
        definition.weights == 259584 == sum(m.weight.numel() for m in network.modules() if hasattr(m, "weight_quant"))
    )
    for path, levels in (("layers.0.linear", 256), ("layers.1.linear", 256), ("out", 1)):
        layer = network.get_submodule(path)
        scale, integers = layer.quant_weight().scale, layer.quant_weight().int()
        assert scale.numel() == levels and integers.min() >= -3 and integers.max() <= 3
    assert float(network.layers[0].act.quant_act_scale()) == pytest.approx(1 / 7)
    assert (
        float(network.features.quant_act_scale())
        == pytest.approx(42.7663 / 127)
        == pytest.approx(definition.input_scale)
    )
    x = torch.tensor(extremes(definition))
    assert float(network.features(x).abs().max()) == pytest.approx(42.7663, rel=1e-6), "clipped to -127..127"


def test_the_input_range_is_the_99th_percentile():
    training = Training(SMALL, None)
    magnitude = np.abs(training.splits.train.inputs.numpy())
    assert np.mean(magnitude > training.definition.input_range) == pytest.approx(0.01, abs=0.001)
