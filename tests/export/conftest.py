"""The stage as the runner runs it, on a network whose weights are made here."""

import copy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from definitions import harmonic_definition

from microstage.interface import golden
from microstage.models.harmonic.network import HarmonicNetwork
from microstage.stage import stage_main
from microstage_export.__main__ import run

DEFINITION = harmonic_definition(cycles=0.25, cnn_channels=4, hidden=6, head_width=5, cnn_act_bits=4, lstm_state_bits=6)
STEPS = 6


def trained(folder: Path) -> HarmonicNetwork:
    """Write what training leaves into `folder`, and return the network whose weights are there."""
    torch.manual_seed(3)
    network = HarmonicNetwork(DEFINITION)
    with torch.no_grad():
        for _ in range(40):  # past the statistics of the activation scales
            network.sequence(torch.randn(16, 4, 16).clamp(-1, 1), torch.zeros(16, 4))
        for head, kept in zip(network.heads, (0.4, 0.5, 0.5, 0.5)):  # two of them are equal
            head.keep.bias.fill_(kept)
    network.eval()
    torch.save(network.weights(), folder / "quantised_model_weight.pth")
    DEFINITION.save(folder)
    rng = np.random.Generator(np.random.PCG64(0))
    sizes = 2.0 ** rng.integers(-2, 3, (20, STEPS)).repeat(16, axis=1)
    waveform = (rng.normal(0, 3, (20, 16 * STEPS)) * sizes).astype(np.float32)
    replayed = {"waveform": waveform, "truth": rng.random((20, STEPS, 4)), "real": np.ones(20, np.uint8)}
    golden.save(folder / "test.npz", replayed)
    return network


class Stage:
    """`source` is the input folder, `network` what it holds; `run()` gives the exit code and fills `out`."""

    def __init__(self, folder: Path, source: Path, network: HarmonicNetwork) -> None:
        self.folder, self.runs, self.source, self.network = folder, 0, folder / "train", network
        shutil.copytree(source, self.source)

    def run(self) -> int:
        self.runs += 1
        self.out = self.folder / f"out{self.runs}"
        scratch = str(self.folder / "scratch")
        return stage_main("export", run, ["--in", f"train={self.source}", "--out", str(self.out), "--scratch", scratch])


@pytest.fixture(scope="session")
def training(tmp_path_factory):
    """(folder, network) of a training that is over."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, trained(folder)


@pytest.fixture
def stage(tmp_path, training):
    source, network = training
    return Stage(tmp_path, source, copy.deepcopy(network))


@pytest.fixture(scope="session")
def made(tmp_path_factory, training):
    """The stage that has run; nobody spoils it."""
    stage = Stage(tmp_path_factory.mktemp("made"), *training)
    assert stage.run() == 0
    return stage
