"""The stage as a process of its own, as the runner starts it, at a size that trains in a second."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TINY = {
    "model": "harmonic",
    "dataset": "generator",
    "case": "mix",
    "synthetic": 0.5,
    "fold": 0,
    "channel": "current",
    "frequency": 60,
    "seed": 1,
    "windows": 512,
    "warmup_epochs": 2,
    "epochs": 2,
    "batch": 64,
    "learning_rate": 0.003,
    "cycles": 0.25,
    "window_bits": 12,
    "cnn_channels": 4,
    "cnn_features": 4,
    "cnn_kernel": 8,
    "hidden": 6,
    "head_width": 5,
    "cnn_weight_bits": 8,
    "cnn_act_bits": 4,
    "lstm_weight_bits": 8,
    "lstm_io_bits": 8,
    "lstm_acc_bits": 8,
    "lstm_sigmoid_bits": 8,
    "lstm_tanh_bits": 8,
    "lstm_state_bits": 6,
    "head_weight_bits": 8,
    "head_act_bits": 8,
}


def command(out: Path, scratch: Path, **changed) -> list[str]:
    values = [word for name, value in {**TINY, **changed}.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    return [sys.executable, "-m", "microstage_train", *values, "--out", str(out), "--scratch", str(scratch)]


@pytest.fixture
def train(tmp_path):
    """train(name, **parameters) -> (finished process, output folder); the same name shares a scratch folder."""

    def call(name: str, **changed):
        out = tmp_path / f"{name}.out"
        done = subprocess.run(
            command(out, tmp_path / f"{name}.scratch", **changed), env=environment(), capture_output=True, text=True
        )
        return done, out

    return call


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
