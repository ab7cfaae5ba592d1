"""ms_small_conv in assembly equals its C form and NumPy on drawn shapes and at the extremes."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from microstage_bench.emulators import MACHINES, Machine
from microstage_cbackend import kernels
from microstage_cbackend.kernels.small.layouts import pack_small_rows, small_depth
from microstage_cbackend.kernels.small.pairs import filters_together, pack_small_pairs, small_pairs_q
from microstage_cbackend.kernels.small.sizes import conv_scratch
from microstage_cbackend.program.small_line import FINE, FINE_SHIFTS, SHIFTS

KERNELS = Path(kernels.__file__).parent
DRIVER = Path(__file__).with_name("small_conv_driver.c")
LINE, SUMS, REQUANT = 0, 1, 2
ENDS = ("whole", "shifted", "kink", "kink between", "even", "few")
"Of a requantisation: a shift of 32, of more, rounded twice below a multiple of 2^32 or not, to even, a shift below 32."
SHAPE = (
    "planes height width channels out_height out_width filters kernel_h kernel_w stride_h stride_w dilation_h "
    "dilation_w pad_top pad_left pad_value flip bits depth together"
).split()


def drawn_shape(random: np.random.Generator) -> dict[str, int]:
    """Return a shape with all that may vary: planes, steps, borders, rests of positions and filters."""

    def draw(*choices):
        return int(random.choice(choices))

    channels = draw(1, 2, 3, 4, 5, 8, 12, 16, 20, 32)
    planes = draw(1, 1, 2, 3) if channels == 1 else 1
    shape = dict.fromkeys(SHAPE, 0) | {"planes": planes, "channels": channels, "flip": draw(0, 0, 128)}
    dense, colours = draw(0, 0, 0, 1), draw(0, 0, 0, 0, 1)
    if colours:
        channels = draw(1, 3)
        shape |= {"planes": 3 // channels, "channels": channels}
    for side in ("h", "w"):
        kernel = 3 if colours else draw(1, 1, 2, 3, 4)
        shape[f"kernel_{side}"], shape[f"stride_{side}"] = kernel, draw(1, 1, 2, 3)
        shape[f"dilation_{side}"] = draw(1, 1, 1, 2)
    for side, size, pad in (("h", "height", "pad_top"), ("w", "width", "pad_left")):
        span = (shape[f"kernel_{side}"] - 1) * shape[f"dilation_{side}"] + 1
        shape[pad] = 0 if dense else int(random.integers(0, span))
        behind = 0 if dense else int(random.integers(0, span))
        out = 1 if dense else draw(1, 2, 3, 4, 5, 7, 10)
        shape[size] = max(1, (out - 1) * shape[f"stride_{side}"] + span - shape[pad] - behind)
        shape[f"out_{size}"] = (shape[size] + shape[pad] + behind - span) // shape[f"stride_{side}"] + 1
        if shape[f"out_{size}"] < 1:
            return drawn_shape(random)
    shape["bits"] = draw(8, 8, 8, 4, 2, 1)
    shape["filters"] = draw(1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 18)
    shape["pad_value"] = int(random.integers(0, 256))
    shape["depth"] = small_depth(used_of(shape))
    return shape


def used_of(shape: dict[str, int]) -> int:
    return shape["planes"] * shape["kernel_h"] * shape["kernel_w"] * shape["channels"]


def patches_of(x: np.ndarray, s: dict[str, int]) -> np.ndarray:
    """Return [positions, used] of x [planes, height, width, channels] as the kernel sees it."""
    room = np.full((s["planes"], 300, 300, s["channels"]), s["pad_value"], np.int64)
    room[:, 100 : 100 + s["height"], 100 : 100 + s["width"]] = x ^ s["flip"]
    rows = (
        100
        - s["pad_top"]
        + np.add.outer(np.arange(s["out_height"]) * s["stride_h"], np.arange(s["kernel_h"]) * s["dilation_h"])
    )
    columns = (
        100
        - s["pad_left"]
        + np.add.outer(np.arange(s["out_width"]) * s["stride_w"], np.arange(s["kernel_w"]) * s["dilation_w"])
    )
    taken = room[
        :, rows[:, None, :, None], columns[None, :, None, :]
    ]  # planes, out_h, out_w, kernel_h, kernel_w, channels
    return taken.transpose(1, 2, 0, 3, 4, 5).reshape(len(rows) * len(columns), -1)


def drawn_weights(random: np.random.Generator, shape: dict[str, int]) -> np.ndarray:
    """Return [filters, used]: drawn, or extremes."""
    end, size = 1 << (shape["bits"] - 1), (shape["filters"], used_of(shape))
    if shape["bits"] == 1:
        return random.choice([-1, 1], size)
    kinds = [[-end, end - 1], [-end], [end - 1], np.arange(-end, end), np.arange(1 - end, end)]
    return random.choice(kinds[random.integers(0, 5)], size)


class Line(NamedTuple):
    """Hold biases and multipliers [filters, 2], and offset, shift, low, high, flip, fine, edge."""

    q: np.ndarray
    numbers: list[int]

    def of(self, sums: np.ndarray) -> np.ndarray:
        offset, shift, low, high, flip, fine, edge = self.numbers
        values = offset + ((sums * 2**fine + self.q[:, 0]) * self.q[:, 1] >> 32)
        kinks = np.array([2 ** int(m).bit_length() // 2**24 for m in self.q[:, 1]])
        levels = np.where(values < edge, values - kinks, values) >> shift
        return np.clip(levels, low, high).astype(np.uint8) ^ np.uint8(flip)


def drawn_line(random: np.random.Generator, sums: np.ndarray) -> Line:
    """Return one whose outputs go from below 0 to above 255; biases small or as large as some form allows."""
    filters, shift = sums.shape[1], int(random.choice(SHIFTS))
    reach = int(np.abs(sums).max()) + 1
    most = int(random.choice([1 << 19, 1 << 23, 1 << 29])) - 1 - reach
    fine = int(random.choice([0, FINE, FINE])) if reach < 1 << 23 else 0
    if fine:
        shift, reach = int(random.choice(FINE_SHIFTS)), reach << fine
        most = (1 << 31) - 1 - reach
    near, far = random.integers(-reach, reach + 1, filters) // 2, random.choice([-most, most], filters)
    bias = np.clip(near if random.integers(0, 3) else far, -most, most)
    multiplier = np.minimum(random.integers(1, 400, filters) * (1 << (32 + shift)) // reach, 2**31 - 1)
    zero = int(random.integers(0, 256))
    low, high = sorted(random.integers(0, 256, 2)) if random.integers(0, 2) else (0, 255)
    edge = int(random.choice([0, int(random.integers(1, 256)) << shift, random.integers(0, 2**30)])) if fine else 0
    numbers = [(2 * zero + 1) << (shift - 1), shift, int(low), int(high), int(random.choice([0, 0, 128])), fine, edge]
    return Line(np.stack([bias, multiplier], axis=1), numbers)


class Requant(NamedTuple):
    """Hold multipliers, offsets, kinks (or none) and edge, and shift, low, high, even, zero, flip."""

    constants: list[np.ndarray]
    numbers: list[int]

    def of(self, sums: np.ndarray) -> np.ndarray:
        multiplier, offset, kink, edge = self.constants
        shift, low, high, even, zero, flip = self.numbers
        values = sums * multiplier.astype(np.int64) + offset
        values = values - np.where(values < edge, kink, 0) if kink.size else values
        levels = values >> shift
        levels = levels - (even & (values % (1 << shift) == 0) & ((levels ^ zero) & 1))
        return np.clip(levels, low, high).astype(np.uint8) ^ np.uint8(flip)


def drawn_requant(random: np.random.Generator, sums: np.ndarray, end: str) -> Requant:
    """Return one whose outputs go from below 0 to above 255, or that is as steep as it can be, with an end of ENDS."""
    filters, reach = sums.shape[1], int(np.abs(sums).max()) + 1
    shift = {"shifted": random.integers(33, 63), "few": random.integers(16, 32)}.get(
        end, random.choice([32, 32, 32, 37])
    )
    shift = 32 if end == "whole" else int(shift)
    unit = 1 << min(shift, 50)
    slope = np.minimum(random.integers(1, 400, filters) * unit // reach, 2**31 - 1)
    if shift >= 32 and random.integers(0, 4) == 0:
        slope = np.full(filters, 2**31 - 1)
    multiplier, offset = slope * random.choice([1, 1, -1], filters), random.integers(-50 * unit, 300 * unit, filters)
    if end == "even":
        multiplier, offset = multiplier >> shift - 2 << shift - 2, offset >> shift - 2 << shift - 2
    kink = random.integers(0, 2 * unit, filters if "kink" in end else 0)
    middle = int(np.sort((sums * multiplier + offset).ravel())[sums.size // 2])
    edge = middle + 1 if end == "kink between" else middle >> 32 << 32
    low, high = sorted(random.integers(0, 256, 2)) if random.integers(0, 2) else (0, 255)
    parity, flip = int(random.integers(0, 2)), int(random.choice([0, 0, 128]))
    numbers = [shift, int(low), int(high), int(end == "even"), parity, flip]
    return Requant([multiplier.astype("<i4"), *(v.astype("<i8") for v in (offset, kink, np.array([edge])))], numbers)


def drawn_cases(random: np.random.Generator, kind: int) -> list[Case]:
    """Return one, or of requantisations one with each end."""
    shape = drawn_shape(random)
    values = [np.arange(256), [255], [0, 255]][random.integers(0, 3)]
    x = random.choice(values, tuple(shape[name] for name in ("planes", "height", "width", "channels")))
    weights = drawn_weights(random, shape)
    line = drawn_line(random, patches_of(x, shape) @ weights.T)
    return [Case(dict(shape), kind, x, weights, line, random, end) for end in (ENDS if kind == REQUANT else ENDS[:1])]


def swept_case(shift: int, first: int, multiplier: int, fine: int = 0, edge: int = 0) -> Case:
    """Return one whose sums are the 8,192 from `first` on: 256 pixels of one byte, 32 biases."""
    sizes = {"planes": 1, "height": 16, "width": 16, "channels": 1, "out_height": 16, "out_width": 16, "filters": 32}
    ones = dict.fromkeys("kernel_h kernel_w stride_h stride_w dilation_h dilation_w".split(), 1)
    shape = dict.fromkeys(SHAPE, 0) | sizes | ones | {"bits": 8, "depth": 8}
    q = np.stack([(first + 256 * np.arange(32) << fine) + fine * np.arange(32), np.full(32, multiplier)], axis=1)
    line = Line(q, [255 << (shift - 1), shift, 0, 255, 0, fine, edge])
    return Case(
        shape,
        LINE,
        np.arange(256).reshape(1, 16, 16, 1),
        np.ones((32, 1), int),
        line,
        np.random.default_rng(0),
        ENDS[0],
    )


def last_readers(shape: dict[str, int]) -> np.ndarray:
    """Return the last position whose patch has each byte of x in it; -1: none."""
    places = np.arange(shape["planes"] * shape["height"] * shape["width"] * shape["channels"])
    seen = patches_of(
        places.reshape(shape["planes"], shape["height"], shape["width"], -1) + 1, {**shape, "pad_value": 0, "flip": 0}
    )
    found = np.full(places.size + 1, -1)
    for position, patch in enumerate(seen):
        found[patch] = position
    return found[1:]


def nearest(shape: dict[str, int], kind: int) -> int:
    """Return how far y must begin below x, in bytes below 0, for no output to be over what is still read."""
    last, size = last_readers(shape), 4 if kind == SUMS else 1
    row = size * shape["filters"]
    writer = np.arange(row * shape["out_height"] * shape["out_width"]) // row
    for before in range(0, writer.size + 1, 4):
        over = np.arange(before, min(writer.size, before + last.size))
        if np.all(last[over - before] <= writer[over]):
            return -before
    return -writer.size


class Case:
    """A call of each kind: what the driver reads, and what must come out."""

    def __init__(
        self, shape: dict[str, int], kind: int, x: np.ndarray, weights: np.ndarray, line: Line, random, end: str
    ) -> None:
        self.shape, self.kind = shape, kind
        sums = patches_of(x, shape) @ weights.T
        fine = line.numbers[5]
        reach = int(np.abs(sums).max() + np.abs(line.q[:, 0]).max() * (kind == LINE and not fine))
        shape["together"] = filters_together(weights, shape, reach)
        requant = drawn_requant(random, sums, end)
        if kind == LINE:
            self.expected = line.of(sums)
        elif kind == SUMS:
            self.expected = sums.astype("<i4")
        else:
            self.expected = requant.of(sums)
        rows = pack_small_rows(weights.astype(np.int8), shape["bits"])
        skews = [int(n) for n in random.integers(0, 4, 2)] if kind != SUMS else [0, 0]
        apart = nearest(shape, kind)
        self.numbers = [
            kind, *shape.values(), *line.numbers, *requant.numbers, *skews, apart, conv_scratch(shape)
        ]  # fmt: skip
        self.buffers = [
            x.astype(np.uint8), rows, line.q.astype("<i4"), pack_small_pairs(weights, shape),
            small_pairs_q(line.q, shape, bool(fine)), *requant.constants, np.zeros_like(self.expected),
        ]  # fmt: skip

    def data(self) -> bytes:
        parts = [struct.pack(f"<{len(self.numbers)}i", *self.numbers)]
        for values in self.buffers:
            parts += [struct.pack("<i", values.nbytes), np.ascontiguousarray(values).tobytes()]
        return b"".join(parts)


def run(machine: Machine, cases: list[Case], folder: Path, *flags: str, compiler: str = "gcc") -> None:
    """Compile the driver for `machine`, run all cases on it, compare every byte of both forms."""
    (folder / "cases.bin").write_bytes(struct.pack("<i", len(cases)) + b"".join(case.data() for case in cases))
    built = build(machine, compiler, folder, ["-O2", *flags])
    done = subprocess.run([*machine.emulator, built], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr[-3000:]}"
    assert done.stdout.strip() == "arm-dsp"
    data, at = (folder / "results.bin").read_bytes(), 0
    for case in cases:
        for form in ("assembly", "C"):
            found = np.frombuffer(data, case.expected.dtype, case.expected.size, at).reshape(case.expected.shape)
            at += found.nbytes
            wrong = np.argwhere(found != case.expected)
            assert not wrong.size, f"{form}, kind {case.kind}, {case.shape}: {len(wrong)} of {found.size} differ"
    assert at == len(data)


def build(machine: Machine, compiler: str, folder: Path, flags: list[str]) -> str:
    """Compile with gcc, or with clang and link with gcc."""
    common, program = (
        [*machine.flags, *flags, "-std=gnu99", "-Wall", "-Wextra", "-Werror", f"-I{KERNELS}", f"-I{KERNELS}/small"],
        folder / "driver",
    )
    source = str(DRIVER)
    if compiler == "clang":
        found = subprocess.run([machine.compiler, "-print-sysroot"], capture_output=True, text=True, check=True)
        headers = Path(found.stdout.strip() or "/usr") / "include"
        newlib = headers / "newlib" if (headers / "newlib").is_dir() else headers
        source = str(folder / "driver.o")
        subprocess.run(["clang", *machine.clang, *common, "-isystem", newlib, "-c", "-o", source, DRIVER], check=True)
    subprocess.run([machine.compiler, *common, "-o", program, source, *machine.link], check=True)
    return str(program)


def machine_named(name: str, compiler: str = "gcc") -> Machine:
    machine = next(machine for machine in MACHINES if machine.name == name)
    if machine.missing or not shutil.which(compiler):
        pytest.skip(machine.missing or f"{compiler} is not installed")
    return machine


def cases_of(seed: int, times: int) -> list[Case]:
    random = np.random.default_rng(seed)
    return [case for kind in [LINE, LINE, SUMS, REQUANT] * times for case in drawn_cases(random, kind)]


@pytest.mark.parametrize(("name", "compiler"), [("cortex-m4", "clang"), ("cortex-m7", "gcc"), ("cortex-m33", "gcc")])
def test_drawn_shapes(name, compiler, tmp_path):
    run(machine_named(name, compiler), cases_of(20, 25), tmp_path, compiler=compiler)


def test_nothing_before_or_behind_x_is_read(tmp_path):
    run(machine_named("cortex-m4"), cases_of(22, 12), tmp_path, "-DMEMORY_BEGIN=0x21000000", "-DMEMORY_END=0x22000000")


def test_lines_at_every_sum_of_a_range_and_at_its_ends(tmp_path):
    most, firsts = 2**23 - 1, (-(2**23) + 1, -4096, 2**23 - 8192 - 256)
    steep = {first: min(2**31 - 1, 300 << 20) for first in firsts}
    swept = [swept_case(shift, first, steep[first] << shift >> 1 & most * 256) for shift in SHIFTS for first in firsts]
    extremes = [swept_case(shift, -4096, multiplier) for shift in SHIFTS for multiplier in (0, 1, 2**31 - 1)]
    fine = [
        swept_case(shift, first, multiplier, FINE, edge << shift - 1)
        for shift in FINE_SHIFTS
        for first in (*firsts[:2], firsts[2] - 1)
        for multiplier in (2**23 - 1, 2**23, min(2**31 - 1, 2 ** (16 + shift)))
        for edge in (0, 255)
    ]
    run(machine_named("cortex-m4"), swept + extremes + fine, tmp_path)


def test_an_interrupt_at_any_instant_leaves_outputs_equal(tmp_path):
    run(machine_named("cortex-m4"), cases_of(21, 10), tmp_path, "-DINTERRUPTED")
