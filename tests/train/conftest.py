"""The stage at a size that trains in a second, in processes that are forked from this one, which has imported torch."""

import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # before NumPy: threads do not survive a fork
import torch

from microstage.stage import stage_main
from microstage_train.__main__ import run

torch.set_num_threads(1)

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


def words(out: Path, scratch: Path, **changed) -> list[str]:
    """Return the command line of the stage."""
    values = [word for name, value in {**TINY, **changed}.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    return [*values, "--out", str(out), "--scratch", str(scratch)]


class Stage:
    """Runs of the stage in a folder; those of one `name` have the same output and the same scratch folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, name: str, **changed) -> multiprocessing.Process:
        """Begin a run; what it prints goes to files beside its output."""
        arguments = words(self.folder / f"{name}.out", self.folder / f"{name}.scratch", **changed)
        printed = [self.folder / f"{name}.{stream}" for stream in ("stdout", "stderr")]
        process = multiprocessing.get_context("fork").Process(target=_run, args=(arguments, printed))
        process.start()
        return process

    def kill(self, name: str, after: str, **changed) -> None:
        """Begin a run, and kill it as soon as its scratch folder holds the file `after`."""
        process, end = self.start(name, **changed), time.monotonic() + 120
        while not (self.folder / f"{name}.scratch" / after).exists() and process.is_alive():
            assert time.monotonic() < end, f"waited for {after} in vain"
            time.sleep(0.002)
        process.kill()
        process.join()
        assert process.exitcode < 0, "it ended before it could be killed"

    def __call__(self, name: str, **changed) -> tuple[SimpleNamespace, Path]:
        """Return (what became of a run, its output folder)."""
        process = self.start(name, **changed)
        process.join()
        out, err = ((self.folder / f"{name}.{stream}").read_text() for stream in ("stdout", "stderr"))
        return SimpleNamespace(returncode=process.exitcode, stdout=out, stderr=err), self.folder / f"{name}.out"


def _run(arguments: list[str], printed: list[Path]) -> None:
    for number, path in enumerate(printed, 1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
    raise SystemExit(stage_main("train", run, arguments))


@pytest.fixture
def train(tmp_path):
    return Stage(tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
