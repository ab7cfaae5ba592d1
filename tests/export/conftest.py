"""The stage as the runner runs it, on a network whose weights are made here."""

from pathlib import Path

import numpy as np
import pytest
import torch
from definitions import harmonic_definition

from microstage.interface import golden
from microstage.models.harmonic.network import HarmonicNetwork

DEFINITION = harmonic_definition(cycles=0.25, cnn_channels=4, hidden=6, head_width=5, cnn_act_bits=4, lstm_state_bits=6)
STEPS = 6


class Stage:
    """`source` is the input folder, `network` what it holds; `run()` gives the exit code and fills `out`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs, self.source = folder, 0, folder / "train"
        self.source.mkdir()
        torch.manual_seed(3)
        self.network = HarmonicNetwork(DEFINITION)
        with torch.no_grad():
            for _ in range(40):  # past the statistics of the activation scales
                self.network.sequence(torch.randn(16, 4, 16).clamp(-1, 1), torch.zeros(16, 4))
            for head, kept in zip(self.network.heads, (0.4, 0.5, 0.5, 0.5)):  # two of them are equal
                head.keep.bias.fill_(kept)
        self.network.eval()
        torch.save(self.network.weights(), self.source / "quantised_model_weight.pth")
        DEFINITION.save(self.source)
        rng = np.random.Generator(np.random.PCG64(0))
        sizes = 2.0 ** rng.integers(-2, 3, (20, STEPS)).repeat(16, axis=1)
        waveform = (rng.normal(0, 3, (20, 16 * STEPS)) * sizes).astype(np.float32)
        replayed = {"waveform": waveform, "truth": rng.random((20, STEPS, 4)), "real": np.ones(20, np.uint8)}
        golden.save(self.source / "test.npz", replayed)

    def run(self) -> int:
        from microstage.stage import stage_main
        from microstage_export.__main__ import run

        self.runs += 1
        self.out = self.folder / f"out{self.runs}"
        scratch = str(self.folder / "scratch")
        return stage_main("export", run, ["--in", f"train={self.source}", "--out", str(self.out), "--scratch", scratch])


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)
