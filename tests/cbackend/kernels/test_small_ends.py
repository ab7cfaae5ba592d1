"""What layers of stages that round twice store, on every machine and under both compilers: at every sum that they can
reach, what the quantiser of TensorFlow Lite gives.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_small_forms import APART, BY_NAME, CONV, DEPTHWISE, SHAPE, Case, run
from twice_rounded import fitted, twice_rounded

from microstage_bench.footprint.firmware import Build
from microstage_cbackend.kernels.small import layouts, sizes
from microstage_cbackend.kernels.small.pairs import pack_small_pairs, small_pairs_q
from microstage_cbackend.program.small_line import SmallLine

CHANNELS = 6


def numbers_of(sizes_of: dict[str, int], line: SmallLine) -> list[int]:
    """Return the driver's numbers: a shape, of which all that is not said is 1 or, of borders, 0; then the line."""
    shape = dict.fromkeys(SHAPE, 1) | {"pad_top": 0, "pad_left": 0, "pad_value": 0, "flip": 0, "bits": 8} | sizes_of
    stage = [line.offset, line.shift, line.low, line.high, line.flip, line.fine, line.edge]
    return [*(shape[name] for name in SHAPE), *stage]


def conv_case(random: np.random.Generator, relu: bool) -> tuple[Case, str]:
    """Two bytes a pixel, the digits of the sums 0..8191, by weights of both signs."""
    sign = random.choice([-1, 1], CHANNELS)
    weights = np.outer(sign, [64, 1])
    low, high = np.minimum(0, 8191 * sign), np.maximum(0, 8191 * sign)
    quantiser = twice_rounded(random, low, high, relu)
    shape = {"height": 64, "width": 128, "out_height": 64, "out_width": 128, "channels": 2, "filters": CHANNELS}
    shape |= {"kernel_h": 1, "kernel_w": 1, "dilation_w": 1, "depth": 8, "planes": 1, "bits": 8, "together": 2}
    _, found = fitted(quantiser, low, high, shape)
    assert found is not None
    q, at = found.form.constants.astype(np.int32), np.arange(8192)
    w = weights.astype(np.int8)
    forms = {
        0: [layouts.pack_small_rows(w), q],
        1: [pack_small_pairs(weights, shape), small_pairs_q(q, shape, bool(found.form.fine))],
        2: [layouts.pack_small_mve(w), layouts.whole_filters(q, 4)],
        3: [layouts.pack_small_quads(w), q],
    }
    expected = quantiser.of(at[:, None] * sign).astype(np.int8).view(np.uint8)
    x = np.stack([at >> 6, at & 63], axis=1).astype(np.uint8)
    numbers = numbers_of({name: shape[name] for name in shape if name in SHAPE}, found.form)
    scratch = sizes.conv_scratch(shape | {"out_height": 64})
    return Case(CONV, numbers, x, expected, forms, scratch, APART, 0, f"conv {found.form}"), found.form.form


def depthwise_case(random: np.random.Generator, relu: bool) -> tuple[Case, str]:
    """Two taps of 3 x 3 see the digits of the sums 0..4095."""
    sign = random.choice([-1, 1], CHANNELS)
    weights = np.zeros((CHANNELS, 3, 3), np.int8)
    weights[:, 1, :2] = np.outer(sign, [64, 1])
    low, high = np.minimum(0, 4095 * sign), np.maximum(0, 4095 * sign)
    quantiser = twice_rounded(random, low, high, relu)
    shape = {"height": 66, "width": 129, "out_height": 64, "out_width": 64, "channels": CHANNELS, "filters": CHANNELS}
    shape |= {"kernel_h": 3, "kernel_w": 3, "stride_h": 1, "stride_w": 2, "dilation_h": 1, "dilation_w": 1, "depth": 9}
    _, found = fitted(quantiser, low, high, shape, "ms_small_depthwise")
    assert found is not None
    at, x = np.arange(4096), np.zeros((66, 129, CHANNELS), np.uint8)
    x[1:65, 0:128:2] = (at >> 6).reshape(64, 64, 1)
    x[1:65, 1:129:2] = (at & 63).reshape(64, 64, 1)
    q = found.form.constants.astype(np.int32)
    forms = {0: [weights, q], 2: [layouts.pack_small_depthwise_mve(weights), layouts.pack_small_lines_mve(q)]}
    expected = quantiser.of(at[:, None] * sign).astype(np.int8).view(np.uint8)
    scratch = sizes.depthwise_scratch(shape)
    name = f"depthwise {found.form}"
    return Case(DEPTHWISE, numbers_of(shape, found.form), x, expected, forms, scratch, APART, 0, name), found.form.form


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    random = np.random.default_rng(42)
    made = [make(random, relu) for make in (conv_case, depthwise_case) for relu in (False, True) for _ in range(3)]
    assert {"fine", "bent"} <= {form for _, form in made}
    return [case for case, _ in made]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("machine, form", [("cortex-m0+", 0), ("cortex-m4", 1), ("cortex-m55", 2), ("riscv32", 3)])
def test_layers_equal_their_quantiser_at_every_sum(cases, machine, form, compiler, tmp_path: Path):
    build = Build(BY_NAME[machine], compiler, "-O2")
    if build.missing:
        pytest.skip(build.missing)
    link = (build.machine.compiler, *build.machine.flags, *build.machine.link)
    run(cases, form, tmp_path, tuple(build.command), link, build.machine.emulator)
