"""The LSTM's thresholds in a form that takes little memory: the same integer at every sum that there can be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import stepped_parts
from places import FIXTURES, REPOSITORY

from microstage.requantise import Search, compact
from microstage_streamline.finn.layout import input_ranges
from microstage_streamline.finn.threshold_memory import searches, threshold_memory
from microstage_streamline.preceding_stage import convert_part

READY = REPOSITORY / "stages" / "qcdq" / "ready"


def converted(model: onnx.ModelProto, described: dict):
    """Return the integer graph of a part and the ends of its inputs."""
    part = convert_part(model, described)
    return part.streams, input_ranges(part.written.interface)


def lstm_of(folder: Path):
    described = json.loads((folder / "interface.json").read_text())["parts"]["sublstm_qcdq"]
    return converted(onnx.load(folder / described["file"]), described)


def wrong(search: Search, low: np.ndarray, high: np.ndarray) -> int:
    """Count the sums, of all that each channel can have, at which the compact form gives another integer."""
    form, count = compact(search, low, high, tables=True), 0
    for channel, (least, most) in enumerate(zip(low, high)):
        sums = np.arange(least, most + 1)
        each = np.full(sums.shape, channel)
        count += int((form.apply(sums, each) != search.apply(sums, each)).sum())
    return count


@pytest.mark.parametrize("folder", [FIXTURES / "qcdq", READY / "current", READY / "voltage"], ids=lambda f: f.name)
def test_a_trained_lstm_takes_25_kbit_and_every_sum_gives_its_integer(folder):
    model, ends = lstm_of(folder)
    memory = threshold_memory(model, ends)
    assert memory["as_compact_forms"] <= min(25_000, memory["as_finn_keeps_them"] // 10)
    assert sum(wrong(*found) for _, *found in searches(model, ends)) == 0


@pytest.mark.parametrize("seed", range(4))
def test_the_thresholds_of_a_random_lstm_shrink_and_stay_right(seed):
    sizes = stepped_parts.Sizes(hidden=3 + 2 * seed, features=4 + seed, seed=seed)
    builder = stepped_parts.cell(sizes)
    made = builder.finish()
    model, ends = converted(made, builder.interface(made))
    memory = threshold_memory(model, ends)
    assert memory["as_compact_forms"] < memory["as_finn_keeps_them"] / 3
    assert sum(wrong(*found) for _, *found in searches(model, ends)) == 0
