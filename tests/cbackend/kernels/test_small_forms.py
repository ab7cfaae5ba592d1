"""Helium's and RISC-V's kernels for small machines equal NumPy on random shapes and at the extremes.

y overlaps x as far as the promised order of reading and writing allows.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from kernel_values import activations, requant, weights

from microstage_bench.emulators import MACHINES
from microstage_bench.footprint.firmware import Build
from microstage_cbackend.kernels.layouts import fast_files
from microstage_cbackend.kernels.small import layouts, sizes
from microstage_cbackend.program.small_line import FINE, FINE_SHIFTS, SHIFTS

DRIVER = Path(__file__).parent / "small_forms_driver.c"
HEADERS = [f"ms_small_{name}.h" for name in "add average conv depthwise".split()]
FLAGS = ["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-DMS_SMALL_MACHINE=1"]
CONV, SUMS, REQUANT, DEPTHWISE, DEPTHWISE_REQUANT, AVERAGE, ADD = range(7)
BY_NAME = {machine.name: machine for machine in MACHINES}
APART = -1
SHAPE = (
    "planes height width channels out_height out_width filters kernel_h kernel_w stride_h stride_w dilation_h"
    " dilation_w pad_top pad_left pad_value flip bits depth"
).split()


@dataclass
class Case:
    """One call: its numbers, x, constants {form: w} with q, multiplier, offset, kink, edge; `above`: x lies that many
    bytes above the start of y."""

    kernel: int
    integers: list[int]
    x: np.ndarray
    expected: np.ndarray
    forms: dict[int, list[np.ndarray]]
    scratch: int = 0
    above: int = APART
    skew: int = 0
    name: str = field(default="")

    def bytes(self, form: int) -> bytes:
        """As small_forms_driver.c reads it."""
        head = (self.kernel, self.expected.nbytes, self.scratch, self.above, self.skew)
        parts = [struct.pack("<5i32i", *head, *self.integers, *[0] * (32 - len(self.integers)))]
        constants = self.forms.get(form, self.forms[0])
        for values in [self.x, *constants, *[np.zeros(0, np.uint8)] * (6 - len(constants))]:
            flat = np.ascontiguousarray(values).ravel()
            parts += [struct.pack("<ii", flat.itemsize, flat.size), flat.astype(flat.dtype.newbyteorder("<")).tobytes()]
        return b"".join(parts)


@dataclass
class Line:
    """ms_line with q per filter."""

    q: np.ndarray
    offset: int
    shift: int
    low: int
    high: int
    flip: int
    fine: int
    edge: int

    @property
    def numbers(self) -> list[int]:
        return [self.offset, self.shift, self.low, self.high, self.flip, self.fine, self.edge]

    def of(self, sums: np.ndarray) -> np.ndarray:
        values = self.offset + ((sums.astype(np.int64) * 2**self.fine + self.q[:, 0]) * self.q[:, 1] >> 32)
        kinks = np.array([2 ** int(m).bit_length() // 2**24 for m in self.q[:, 1]])
        return np.clip(np.where(values < self.edge, values - kinks, values) >> self.shift, self.low, self.high).astype(
            np.uint8
        ) ^ np.uint8(self.flip)


def line(random, sums: np.ndarray) -> Line:
    """A random line that spreads the sums over about -50..300."""
    fine = int(random.choice([0, FINE, FINE])) if np.abs(sums).max() < 2**22 else 0
    shift, filters = int(random.choice(FINE_SHIFTS if fine else SHIFTS)), sums.shape[-1]
    bias = random.integers(-1000 << fine, 1000 << fine, filters)
    reach = np.abs((sums.astype(np.int64) << fine) + bias).max() + 1
    multiplier = (175 / reach * 2.0 ** (shift + 32) * random.uniform(0.3, 1, filters)).astype(np.int64)
    q = np.stack([bias, np.clip(multiplier, 1, 2**31 - 1)], axis=1).astype(np.int32)
    low, high = sorted(int(v) for v in random.integers(0, 256, 2)) if random.integers(0, 2) else (0, 255)
    edge = int(random.choice([0, int(random.integers(1, 256)) << shift, random.integers(0, 2**30)])) if fine else 0
    return Line(q, int(random.integers(0, 200 << shift)), shift, low, high, int(random.choice([0, 128])), fine, edge)


def shape_of(random, channels: int, filters: int, bits: int) -> dict[str, int]:
    """A random convolution: padded, strided, dilated, of planes, or dense."""
    kind = random.integers(0, 8)
    s = dict.fromkeys(SHAPE, 1) | {"pad_top": 0, "pad_left": 0, "channels": channels, "filters": filters, "bits": bits}
    if kind == 0:  # dense
        return s | {"channels": 13 * channels + 3, "flip": int(random.choice([0, 128])), "pad_value": 0}
    s["planes"] = 3 if channels == 1 else 1
    s["height"], s["width"] = (int(v) for v in random.integers(3, 9, 2))
    if kind > 2:
        for name in ("kernel_h", "kernel_w"):
            s[name] = int(random.integers(1, 5))
        for name in ("stride_h", "stride_w", "dilation_h", "dilation_w"):
            s[name] = int(random.choice([1, 1, 2]))
    for axis, size, pad in (("h", "height", "pad_top"), ("w", "width", "pad_left")):
        reach = (s[f"kernel_{axis}"] - 1) * s[f"dilation_{axis}"]
        s[pad] = int(random.integers(0, reach + 1))
        span = s[size] + s[pad] + int(random.integers(0, reach + 1)) - reach
        s[f"out_{size}"] = max(1, (span - 1) // s[f"stride_{axis}"] + 1)
    return s | {"pad_value": int(random.choice([0, 7, 255])), "flip": int(random.choice([0, 128]))}


def places(s: dict[str, int]) -> np.ndarray:
    """[positions, patch] places in x, -1 where a tap lies outside."""
    h = np.arange(s["out_height"])[:, None] * s["stride_h"] - s["pad_top"] + np.arange(s["kernel_h"]) * s["dilation_h"]
    v = np.arange(s["out_width"])[:, None] * s["stride_w"] - s["pad_left"] + np.arange(s["kernel_w"]) * s["dilation_w"]
    h, v = h[:, None, None, :, None, None], v[None, :, None, None, :, None]
    plane, channel = np.arange(s["planes"])[:, None, None, None], np.arange(s["channels"])
    found = ((plane * s["height"] + h) * s["width"] + v) * s["channels"] + channel
    inside = (h >= 0) & (h < s["height"]) & (v >= 0) & (v < s["width"])
    return np.where(inside, found, -1).reshape(s["out_height"] * s["out_width"], -1)


def lowest_start(places_of: np.ndarray, written: int) -> int:
    """Return how far above the start of y x must lie, when a position writes `written` bytes after its patch and those
    before it have been read."""
    read = np.where(places_of < 0, places_of.max() + 1, places_of).min(axis=1)
    still = np.append(np.minimum.accumulate(read[::-1])[::-1][1:], places_of.max() + 1)
    return max(0, int((written * np.arange(1, len(still) + 1) - still).max()))


def seen(x: np.ndarray, s: dict[str, int]) -> np.ndarray:
    """Return x as the kernel sees it, behind it what stands outside."""
    return np.append(x ^ np.uint8(s["flip"]), np.uint8(s["pad_value"])).astype(np.int64)


def conv_forms(w: np.ndarray, bits: int, q: np.ndarray) -> dict[int, list[np.ndarray]]:
    """Return {MS_SMALL_FORM: weights, then lines}."""
    return {
        0: [layouts.pack_small_rows(w, bits), q],
        2: [layouts.pack_small_mve(w, bits), layouts.whole_filters(q, 4)],
        3: [layouts.pack_small_quads(w, bits), q],
    }


def conv_cases(random, channels: int, filters: int, bits: int) -> list[Case]:
    s = shape_of(random, channels, filters, bits)
    where = places(s)
    s["depth"] = layouts.small_depth(where.shape[1])
    x = activations(random, s["planes"] * s["height"] * s["width"] * s["channels"])
    w = weights(random, (filters, where.shape[1]), bits)
    sums = seen(x, s)[where] @ w.T.astype(np.int64)
    numbers, scratch, skew = [s[name] for name in SHAPE], sizes.conv_scratch(s), int(random.integers(0, 4))
    said = line(random, sums)
    q = requant(random, filters, int(np.abs(sums).max()), wide=bool(random.integers(0, 4)))
    long = [*numbers, 0, q.shift, q.low, q.high, q.flip, q.even, q.zero]
    forms = conv_forms(w, bits, said.q)
    requants = {form: [*constants, *q.buffers] for form, constants in forms.items()}
    above = lowest_start(where, filters)
    short = [*numbers, *said.numbers]
    return [
        Case(CONV, short, x, said.of(sums), forms, scratch, APART, skew, f"conv {s}"),
        Case(CONV, short, x, said.of(sums), forms, scratch, above, skew, f"conv {s}, y {above} below x"),
        Case(SUMS, numbers, x, sums.astype(np.int32), forms, scratch, -(-lowest_start(where, 4 * filters) // 4) * 4, 0),
        Case(REQUANT, long, x, q.of(sums), requants, scratch, APART, skew, f"requant {s}"),
    ]


def depthwise_cases(random, channels: int) -> list[Case]:
    """In place too, where an image keeps its size."""
    s = shape_of(random, channels, channels, 8) | {"planes": 1}
    if s["height"] == 1:
        s |= {"height": 5, "width": 4, "out_height": 5, "out_width": 4, "channels": channels}
        s |= {"kernel_h": 3, "kernel_w": 3, "pad_top": 1, "pad_left": 1}
    s["depth"] = s["kernel_h"] * s["kernel_w"]
    alone = places(s | {"channels": 1})
    where = np.where(alone[..., None] < 0, -1, alone[..., None] * channels + np.arange(channels))
    x = activations(random, s["height"] * s["width"] * channels)
    w = weights(random, (channels, s["kernel_h"], s["kernel_w"]))
    sums = (seen(x, s)[where] * w.reshape(channels, -1).T).sum(axis=1)
    numbers, scratch, skew = [s[name] for name in SHAPE], sizes.depthwise_scratch(s), int(random.integers(0, 4))
    said, q = line(random, sums), requant(random, channels, int(np.abs(sums).max()), wide=True)
    forms = {0: [w, said.q], 2: [layouts.pack_small_depthwise_mve(w), layouts.pack_small_lines_mve(said.q)]}
    requants = {form: [*constants, *q.buffers] for form, constants in forms.items()}
    short = [*numbers, *said.numbers]
    long = [*numbers, 0, q.shift, q.low, q.high, q.flip, q.even, q.zero]
    name = f"depthwise {s}"
    found = [
        Case(DEPTHWISE, short, x, said.of(sums), forms, scratch, APART, skew, name),
        Case(DEPTHWISE_REQUANT, long, x, q.of(sums), requants, scratch, APART, skew, name),
    ]
    if (s["out_height"], s["out_width"]) == (s["height"], s["width"]):
        found.append(Case(DEPTHWISE, short, x, said.of(sums), forms, scratch, 0, skew, f"{name}, in place"))
    return found


def average_case(random, channels: int) -> Case:
    """Windows of a dense image."""
    height, width = (int(v) for v in random.integers(2, 7, 2))
    kernel = tuple(int(random.integers(1, size + 1)) for size in (height, width))
    out = height - kernel[0] + 1, width - kernel[1] + 1
    shape = [
        *out,
        channels,
        *kernel,
        width * channels,
        channels,
        width * channels,
        channels,
        out[1] * channels,
        channels,
    ]
    x = activations(random, height * width * channels)
    windows = np.lib.stride_tricks.sliding_window_view(
        x.reshape(height, width, channels).astype(np.int64), kernel, (0, 1)
    )
    sums = windows.sum(axis=(3, 4)).reshape(-1, channels)
    q = requant(random, 1, int(sums.max()), wide=True)
    numbers = [*shape, *[0] * (19 - len(shape)), 0, q.shift, q.low, q.high, q.flip, q.even, q.zero]
    none = np.zeros(0, np.int8)
    return Case(AVERAGE, numbers, x, q.of(sums), {0: [none, none, *q.buffers]}, name=f"average {shape}")


def add_case(random, even: int, above: int) -> Case:
    count, shift = int(random.integers(1, 100)), int(random.integers(0, 22))
    a, b = activations(random, count), activations(random, count)
    multipliers = random.integers(-(1 << 21), 1 << 21, 2) >> (21 - shift)
    offset, zero = int(random.integers(-128, 128)) * (1 << shift) + (1 << shift) // 2, int(random.integers(0, 4))
    value = a.astype(np.int64) * multipliers[0] + b.astype(np.int64) * multipliers[1] + offset
    level = value >> shift
    if even and shift:
        level -= ((value & ((1 << shift) - 1)) == 0) & ((level ^ zero) & 1)
    low, high = sorted(int(v) for v in random.integers(0, 256, 2))
    flip = int(random.choice([0, 128]))
    expected = np.clip(level, low, high).astype(np.uint8) ^ np.uint8(flip)
    numbers = [count, *map(int, multipliers), offset, *[0] * 16, shift, low, high, flip, even, zero]
    return Case(ADD, numbers, a, expected, {0: [b]}, above=above, skew=count % 4, name=f"add {numbers}")


def all_cases() -> list[Case]:
    random = np.random.default_rng(11)
    found = []
    for channels in (1, 2, 3, 4, 5, 8, 12, 16, 17, 20, 32, 33):
        for filters in random.choice((1, 2, 3, 4, 5, 8, 10, 13), 3, replace=False):
            found += conv_cases(random, channels, int(filters), 8)
    for bits in (1, 2, 4):
        for channels in (1, 3, 4, 8, 16, 20, 32):
            found += conv_cases(random, channels, int(random.integers(1, 12)), bits)
    for channels in (1, 3, 4, 7, 8, 9, 16, 20):
        for _ in range(4):
            found += depthwise_cases(random, channels)
        found.append(average_case(random, channels))
    return found + [add_case(random, even, above) for even in (0, 1) for above in (APART, 0) for _ in range(5)]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return all_cases()


def run(
    cases: list[Case],
    form: int,
    folder: Path,
    compile_only: tuple[str, ...],
    link: tuple[str, ...],
    emulator: tuple[str, ...],
) -> str:
    """Compile the driver, run all cases and compare; return what it printed."""
    for name, text in fast_files(*HEADERS).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "cases.bin").write_bytes(struct.pack("<i", len(cases)) + b"".join(case.bytes(form) for case in cases))
    subprocess.run([*compile_only, *FLAGS, "-I", folder, "-c", "-o", folder / "driver.o", DRIVER], check=True)
    subprocess.run([*link, folder / "driver.o", "-o", folder / "driver"], check=True, capture_output=True)
    done = subprocess.run([*emulator, folder / "driver"], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    data, at = (folder / "result.bin").read_bytes(), 0
    for number, case in enumerate(cases):
        found = np.frombuffer(data, case.expected.dtype, case.expected.size, at)
        wrong = np.flatnonzero(found != case.expected.ravel())
        assert not wrong.size, f"case {number}, {case.name}: {wrong.size} of {found.size} differ, first at {wrong[0]}"
        at += case.expected.nbytes
    assert at == len(data) and cases
    return done.stdout


@pytest.mark.parametrize(
    "name, form, compiler, flags",
    [
        ("cortex-m55", 2, "gcc", "-O0"),
        ("cortex-m55", 2, "gcc", "-O2 -DINTERRUPTED"),
        ("cortex-m55", 2, "gcc", "-O2"),
        ("cortex-m55", 2, "clang", "-Os"),
        ("cortex-m55", 2, "clang", "-O2"),
        ("riscv32", 3, "gcc", "-O2"),
        ("riscv32", 3, "clang", "-O2"),
        ("cortex-m0+", 0, "gcc", "-O2"),
        ("cortex-m0+", 0, "clang", "-Os"),
    ],
)
def test_forms_equal_numpy_on_little_stack(cases, name, form, compiler, flags, tmp_path):
    level, *more = flags.split()
    build = Build(BY_NAME[name], compiler, level)
    if build.missing:
        pytest.skip(build.missing)
    machine = build.machine
    said = run(
        cases,
        form,
        tmp_path,
        (*build.command, *more),
        (machine.compiler, *machine.flags, *machine.link),
        machine.emulator,
    )
    isa, _, interrupts = said.splitlines()[-1].split()
    assert isa == {0: "portable", 2: "arm-mve", 3: "rv32"}[form]
    assert not more or int(interrupts) > 1000


def test_equal_in_c99_without_access_outside(cases, tmp_path):
    gcc = shutil.which("gcc") or pytest.skip("gcc is not installed")
    sanitized = (gcc, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    run(cases, 0, tmp_path, sanitized, sanitized, ())
