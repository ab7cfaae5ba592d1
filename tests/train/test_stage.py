"""Training: the same bytes for a seed, also after a kill; the best epoch, not the last; what it leaves behind."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import TINY, contents, words
from definitions import harmonic_definition

from microstage.interface import golden


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run in a process of its own, as the runner starts it."""
    folder = tmp_path_factory.mktemp("whole")
    command = [sys.executable, "-m", "microstage_train", *words(folder / "out", folder / "scratch")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_same_seed_same_bytes_even_when_killed_twice_on_the_way(whole, train, tmp_path):
    for after in ("float.checkpoint", "quantised.checkpoint"):
        train.kill("cut", after)
        shutil.rmtree(tmp_path / "cut.out", ignore_errors=True)
    done, resumed = train("cut")
    assert done.returncode == 0, done.stderr
    assert "float epoch 1/2" not in done.stderr, "it began anew"
    assert contents(resumed) == contents(whole / "out")


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


def test_a_checkpoint_that_would_run_something_is_refused(train, tmp_path):
    import torch

    (tmp_path / "evil.scratch").mkdir()
    torch.save({"epoch": 1, "network": Evil(tmp_path / "ran")}, tmp_path / "evil.scratch" / "float.checkpoint")
    done, out = train("evil")
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2 and "system, which weights do not need" in line
    assert not list(out.iterdir()) and not (tmp_path / "ran").exists()


def test_a_damaged_checkpoint_is_left_out(train, tmp_path):
    for phase, left in (("float", b"PK\x03\x04 cut short"), ("quantised", b"")):
        (tmp_path / "damaged.scratch").mkdir(exist_ok=True)
        (tmp_path / "damaged.scratch" / f"{phase}.checkpoint").write_bytes(left)
    done, out = train("damaged", windows=256, warmup_epochs=1, epochs=1)
    assert done.returncode == 0 and done.stdout.count("is damaged and is left out") == 2, done.stderr
    assert (out / "quantised_model_weight.pth").is_file()


def test_another_seed_is_another_network_and_half_a_cycle_is_held_against_the_textbook(train):
    folders = [train(f"seed{seed}", seed=seed, cycles=0.5, warmup_epochs=0, epochs=1)[1] for seed in (1, 2)]
    weights = [contents(folder)["quantised_model_weight.pth"] for folder in folders]
    assert weights[0] != weights[1]
    metrics = json.loads((folders[0] / "metrics.json").read_text())
    textbook = {
        "half_cycle_dft",
        "integer_dft",
        "least_squares",
        "linear_regression",
        "ridge",
        "nearest_neighbour",
        "constant",
    }
    methods = {"network", "float", "uncorrected"} | textbook
    assert {name.rpartition(".")[2] for name in metrics if name.startswith("test.mae.")} == methods
    for source in metrics["test.by_source"].values():
        assert set(source["methods"]) == methods and source["windows"] > 0
        assert all(len(errors["mae"]) == len(errors["worst"]) == 4 for errors in source["methods"].values())


def test_what_it_leaves_behind(whole):
    out = whole / "out"
    assert {
        "quantised_model_weight.pth",
        "model_def.json",
        "scales.json",
        "metrics.json",
        "curves.png",
        "test.npz",
    } <= set(contents(out))
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((whole / "scratch" / "logs" / "tensorboard").glob("events.*"))
    metrics = json.loads((out / "metrics.json").read_text())
    for method in ("network", "float", "least_squares"):
        assert len(metrics[f"test.mae.{method}"]) == 4 and metrics[f"test.thd_error.{method}"] >= 0
    assert "test.mae.half_cycle_dft" not in metrics, "a quarter cycle has no half-cycle DFT"
    replayed = golden.load(out / "test.npz")
    real = replayed["real"].astype(bool)
    assert real.sum() >= 24 and replayed["truth"].shape[1:] == (16, 4)
    assert np.isfinite(replayed["truth"][real]).all() and np.isnan(replayed["truth"][~real]).all()
    assert np.abs(replayed["waveform"][~real]).max() >= 2.0**15 and not replayed["waveform"][~real].any(axis=1).all()


def test_the_best_epoch_is_kept(tmp_path, monkeypatch):
    """Epochs that set a bias to known places: what is left is the one with the lowest validation loss, not the last."""
    import torch

    from microstage.models.harmonic.network import FloatTwin
    from microstage.models.harmonic.train import OverSteps
    from microstage.models.training import Examples, Phase, Splits
    from microstage.stage import Job
    from microstage_train import loop

    places = [3.0, 0.1, 5.0, 2.0]

    def epoch(phase, optimiser, train, batches, number, steps):
        twin.heads[0].out.bias.data.fill_(8 * places[number])
        return 0.0

    monkeypatch.setattr(loop, "_epoch", epoch)
    split = Examples((torch.zeros(64, 2, 16), torch.zeros(64, 2)), torch.zeros(64, 2, 4))
    twin = FloatTwin(
        harmonic_definition(cycles=0.25, cnn_channels=4, cnn_features=4, cnn_kernel=8, hidden=6, head_width=5)
    )
    phase = Phase("float", OverSteps(twin), 4, 16, 0.1, 3, torch.nn.L1Loss())
    history = loop.fit(Job({}, {}, tmp_path, tmp_path), phase, Splits(split, split, split))
    assert np.argmin([epoch["validation"] for epoch in history]) == 1
    assert float(twin.heads[0].out.bias) == pytest.approx(0.8)


def test_sequences_are_drawn_anew_for_each_epoch_and_alike_after_a_kill():
    import torch

    from microstage.models.harmonic.data import prepare

    train = prepare({**TINY, "cycles": 0.5}, None, harmonic_definition())[0].train
    first, again, next_, quantised = (
        train.drawn(*of) for of in (("float", 0), ("float", 0), ("float", 1), ("quantised", 0))
    )
    assert len(first) == len(train) == 32
    assert torch.equal(first.inputs[0], again.inputs[0]) and torch.equal(first.targets, again.targets)
    assert not any(torch.equal(first.inputs[0], other.inputs[0]) for other in (next_, quantised, train))


def test_a_window_that_the_network_cannot_take_is_one_sentence(train):
    done, out = train("short", cycles=0.05)
    assert done.returncode == 2 and "CYCLES=0.05 gives 3 samples" in done.stderr.strip().splitlines()[-1]
    assert not list(out.iterdir())
