"""Every fast kernel equals NumPy on random shapes and at the extremes, however and for whatever it is compiled."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from kernel_values import activations, requant, weights

from microstage_cbackend.kernels import layouts as kernels

DRIVER = Path(__file__).parent / "kernels_driver.c"
HEADERS = [f"ms_{name}.h" for name in "add_u8 average_u8 conv_u8 depthwise_u8 pack pad_u8 xnor".split()]
FLAGS = ["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-DMS_SMALL", "-Wall", "-Wextra", "-Werror"]
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CONV, SUMS, DEPTHWISE, XNOR_SUMS, XNOR_BITS = (0, 1), (2, 3), (4, 5), (11, 12), (13, 14)
UNTOUCHED = 0xA5


@dataclass
class Case:
    """One call: kernel number of the driver, its integers, its buffers (x, y before, constants), y after."""

    kernel: int
    integers: list[int]
    buffers: list[np.ndarray]
    expected: np.ndarray
    name: str = field(default="")

    def bytes(self) -> bytes:
        """As kernels_driver.c reads it."""
        parts = [struct.pack("<i24i", self.kernel, *self.integers, *[0] * (24 - len(self.integers)))]
        for values in [*self.buffers, *[np.zeros(0, np.uint8)] * (8 - len(self.buffers))]:
            little = np.ascontiguousarray(values).ravel()
            parts += [
                struct.pack("<ii", little.itemsize, little.size),
                little.astype(little.dtype.newbyteorder("<")).tobytes(),
            ]
        return b"".join(parts)


@dataclass
class Window:
    """Steps of a walk over an image held with gaps: positions (h, w), taps (i, j)."""

    out: tuple[int, int]
    taps: tuple[int, int]
    tap: tuple[int, int]
    x: tuple[int, int]
    y: tuple[int, int]

    def starts(self) -> np.ndarray:
        """[positions, taps] offsets into x."""
        h, w = np.indices(self.out).reshape(2, -1)
        i, j = np.indices(self.taps).reshape(2, -1)
        return (h * self.x[0] + w * self.x[1])[:, None] + i * self.tap[0] + j * self.tap[1]

    def places(self) -> np.ndarray:
        """[positions] offsets into y."""
        h, w = np.indices(self.out).reshape(2, -1)
        return h * self.y[0] + w * self.y[1]


def window(random, channels: int, filters: int, joined: bool, most: int = 9) -> tuple[Window, int]:
    """A random geometry and the length of a run: whole kernel rows (`joined`) or single taps, dilated."""
    out = tuple(int(v) for v in random.integers(1, most, 2))
    kernel = tuple(int(v) for v in random.integers(1, 6, 2))
    stride, dilation = (int(v) for v in random.integers(1, 3, 2))
    dilation = 1 if joined else dilation
    width = (out[1] - 1) * stride + (kernel[1] - 1) * dilation + 1 + int(random.integers(0, 2))
    gap = int(random.integers(0, 3))
    y = (out[1] * (filters + gap), filters + gap)
    x = (stride * width * channels, stride * channels)
    if joined:
        return Window(out, (kernel[0], 1), (width * channels, 0), x, y), kernel[1] * channels
    return Window(out, kernel, (dilation * width * channels, dilation * channels), x, y), channels


def conv_case(
    random, kernels_of: tuple[int, int], filters: int, channels: int, joined=True, dense=False, bits: int = 8
) -> list[Case]:
    if dense:
        place, length = Window((1, 1), (1, 1), (0, 0), (0, 0), (0, filters)), channels
    else:
        place, length = window(random, channels, filters, joined)
    starts, runs = place.starts(), place.taps[0] * place.taps[1]
    x = activations(random, int(starts.max()) + length + 32 // bits - 1)
    w = weights(random, (filters, runs, length), bits)
    patches = x[starts[:, :, None] + np.arange(length)].reshape(len(starts), -1).astype(np.int64)
    sums = patches @ w.reshape(filters, -1).T.astype(np.int64)
    q = requant(random, filters, int(np.abs(sums).max()), wide=bool(random.integers(0, 4)))
    found = sums if kernels_of == SUMS else q.of(sums)
    y = np.full(int(place.places().max()) + filters, UNTOUCHED, np.int32 if kernels_of == SUMS else np.uint8)
    expected = y.copy()
    expected[place.places()[:, None] + np.arange(filters)] = found
    shape = [
        *place.out,
        filters,
        *place.taps,
        length,
        kernels.row_depth(runs * length),
        *place.tap,
        *place.x,
        *place.y,
        bits,
    ]
    buffers = [x, y, kernels.pack_rows(w, bits), kernels.pack_blocks(w, bits), *q.buffers]
    return [Case(k, [*q.integers, *shape], buffers, expected, f"conv {shape} {q.integers}") for k in kernels_of]


def depthwise_case(random, channels: int, average: bool = False) -> list[Case]:
    place, _ = window(random, channels, channels, joined=False, most=14)
    starts = place.starts()
    x = activations(random, int(starts.max()) + kernels.depthwise_lanes(channels))
    taps = x[starts[:, :, None] + np.arange(channels)].astype(np.int64)
    w = weights(random, (channels, *place.taps))
    sums = taps.sum(axis=1) if average else (taps * w.reshape(channels, -1).T).sum(axis=1)
    q = requant(random, channels, int(np.abs(sums).max()), wide=bool(random.integers(0, 4)))
    if average:
        q.multiplier, q.offset, q.kink = q.multiplier[:1], q.offset[:1], q.kink[:1]
    y = np.full(int(place.places().max()) + channels, UNTOUCHED, np.uint8)
    expected = y.copy()
    expected[place.places()[:, None] + np.arange(channels)] = q.of(sums)
    shape = [*place.out, channels, *place.taps, *place.tap, *place.x, *place.y]
    buffers = [x, y, kernels.pack_depthwise(w), kernels.pack_depthwise_blocks(w), *q.buffers]
    return [
        Case(k, [*q.integers, *shape], buffers, expected, f"depthwise {shape} {q.integers}")
        for k in ((6,) if average else DEPTHWISE)
    ]


def add_case(random, even: int) -> Case:
    count, shift = int(random.integers(1, 300)), int(random.integers(0, 22))
    a, b = activations(random, count), activations(random, count)
    multipliers = random.integers(-(1 << 21), 1 << 21, 2) >> (21 - shift)
    offset, zero = int(random.integers(-128, 128)) * (1 << shift) + (1 << shift) // 2, int(random.integers(0, 4))
    value = a.astype(np.int64) * multipliers[0] + b.astype(np.int64) * multipliers[1] + offset
    level = value >> shift
    if even and shift:
        level -= ((value & ((1 << shift) - 1)) == 0) & ((level ^ zero) & 1)
    low, high = sorted(int(v) for v in random.integers(0, 256, 2))
    flip = int(random.choice([0, 128]))
    integers = [count, *map(int, multipliers), offset, shift, low, high, even, zero, flip]
    return Case(
        7,
        integers,
        [a, np.zeros(count, np.uint8), b],
        np.clip(level, low, high).astype(np.uint8) ^ np.uint8(flip),
        f"add {integers}",
    )


def xnor_case(random, filters: int, channels: int) -> list[Case]:
    words = -(-channels // 64)
    place, length = window(random, words, filters, joined=True)
    starts, taps = place.starts(), place.taps[0] * length // words
    size = (int(starts.max()) + length) // words + 1
    signs = random.choice([-1, 1], (size, channels))
    x = kernels.sign_words(signs).ravel()
    w = random.choice([-1, 1], (filters, taps, channels))
    pixels = (starts[:, :, None] // words + np.arange(length // words)).reshape(len(starts), -1)
    sums = signs[pixels].reshape(len(starts), -1) @ w.reshape(filters, -1).T
    bits = taps * channels
    integers = [bits, 0, 0, 0, 0, 0, *place.out, filters, *place.taps, length, 0, *place.tap, *place.x]
    y = np.full(int(place.places().max()) + filters, UNTOUCHED, np.int32)
    expected = y.copy()
    expected[place.places()[:, None] + np.arange(filters)] = sums
    packed = kernels.pack_signs(w)
    found = [Case(k, [*integers, *place.y], [x, y, packed], expected, f"xnor {integers}") for k in XNOR_SUMS]
    threshold = random.integers(-bits - 2, bits + 2, filters)
    out_words = -(-filters // 64)
    steps = (place.out[1] * out_words, out_words)
    reached = kernels.sign_words(np.where(sums >= threshold, 1, -1)).ravel()
    limit = ((bits - threshold) >> 1).astype(np.int32)
    dirty = np.full(reached.size, 0xFFFF, np.uint64)
    return [
        *found,
        *(Case(k, [*integers, *steps], [x, dirty, packed, limit], reached, f"xnor bits {integers}") for k in XNOR_BITS),
    ]


def pad_cases(random) -> list[Case]:
    """A padded copy of an image that lies channels last or first, of int8 or uint8; the border alone; signs as
    words."""
    cases = []
    for channels, flip in [(5, 0), (3, 128), (1, 128), (3, 0), (64, 128)]:
        image, shape = random.integers(0, 256, (3, 40, channels), dtype=np.uint8), [3, 40, channels, 1, 0, 2, 3, 9]
        framed = np.pad(image ^ np.uint8(flip), ((1, 2), (0, 3), (0, 0)), constant_values=9)
        for x, steps in ((image, [40 * channels, channels, 1]), (image.transpose(2, 0, 1), [40, 1, 120])):
            cases += [
                Case(10, [*shape, *steps, flip], [x, np.zeros(framed.size, np.uint8)], framed, f"pad {shape} {steps}")
            ]
        framed = np.pad(np.full_like(image, UNTOUCHED), ((1, 2), (0, 3), (0, 0)), constant_values=9)
        cases += [
            Case(8, [*shape, 0, 0, 0, 0], [image, np.full(framed.size, UNTOUCHED, np.uint8)], framed, f"frame {shape}")
        ]
    for low, count in [(-1, 64), (0, 64), (-1, 130), (0, 3)]:
        x = random.choice([low, 1], (4, count)).astype(np.int8)
        words = kernels.sign_words(x)
        cases += [
            Case(
                9,
                [4, count, words.shape[1]],
                [x.view(np.uint8), np.zeros(words.size, np.uint64)],
                words.ravel(),
                f"pack {count}",
            )
        ]
    return cases


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    random = np.random.default_rng(7)
    found = []
    for filters, channels in [
        (16, 16),
        (32, 3),
        (64, 16),
        (128, 8),
        (1, 1),
        (10, 64),
        (50, 5),
        (112, 33),
        (17, 4),
        (65, 12),
        (8, 3),
        (48, 48),
    ]:
        for joined in (True, False):
            found += conv_case(random, CONV, filters, channels, joined)
        found += conv_case(random, SUMS, filters, channels) + conv_case(
            random, CONV, filters, 8 * channels + 3, dense=True
        )
        for bits in (1, 2, 4):
            found += conv_case(random, CONV, filters, channels, True, bits=bits) + conv_case(
                random, SUMS, filters, channels, False, bits=bits
            )
            found += conv_case(random, CONV, filters, 8 * channels + 3, dense=True, bits=bits)
    for channels in (8, 16, 32, 64, 128, 1, 3, 24, 65, 130, 257):
        for _ in range(3):
            found += depthwise_case(random, channels) + depthwise_case(random, channels, average=True)
    for filters, channels in [(8, 64), (64, 128), (10, 64), (70, 64), (3, 10), (128, 192), (150, 70)]:
        found += xnor_case(random, filters, channels)
    return found + [add_case(random, even) for even in (0, 1) for _ in range(10)] + pad_cases(random)


@pytest.fixture(scope="module")
def file(cases, tmp_path_factory) -> Path:
    """All cases, as kernels_driver.c reads them."""
    path = tmp_path_factory.mktemp("cases") / "cases.bin"
    path.write_bytes(struct.pack("<i", len(cases)) + b"".join(case.bytes() for case in cases))
    return path


@pytest.fixture
def check(cases, file, tmp_path):
    """`check(compiler, flags, emulator)` compiles the driver, runs all cases and compares every byte; it returns the
    instruction set that the driver was compiled for."""
    return partial(_check, cases, file, tmp_path)


def _check(
    cases: list[Case], file: Path, folder: Path, compiler: str, flags: list[str], emulator: tuple[str, ...] = ()
) -> str:
    write_kernels(folder)
    program, result = folder / "driver", folder / "result.bin"
    subprocess.run([compiler, *FLAGS, *flags, "-I", folder, "-o", program, DRIVER], check=True)
    done = subprocess.run([*emulator, program, file, result], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-3000:]}"
    compare(cases, result)
    return done.stdout.strip()


def write_kernels(folder: Path) -> None:
    for name, text in kernels.fast_files(*HEADERS).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def compare(cases: list[Case], result: Path) -> None:
    """Compare every byte of the results of all cases."""
    data, at = result.read_bytes(), 0
    for case in cases:
        y = case.buffers[1]
        little = y.dtype.newbyteorder("<")
        found = np.frombuffer(data, little, y.size, at).astype(y.dtype)
        at += y.nbytes
        wrong = np.flatnonzero(found != case.expected.ravel().astype(y.dtype))
        assert not wrong.size, (
            f"kernel {case.kernel}, {case.name}: {wrong.size} of {y.size} differ, first at {wrong[0]}"
        )
    assert at == len(data) and cases


def present(tool: str) -> str:
    return shutil.which(tool) or pytest.skip(f"{tool} is not installed")


def processor_has(flag: str) -> bool:
    try:
        return flag in Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize(
    "flags", ["-O0", "-O2", "-O3", "-O0 -march=native", "-O2 -march=native", "-O3 -march=native -DMS_PORTABLE"]
)
def test_equal_under_every_compiler_and_optimisation(check, compiler, flags):
    check(present(compiler), flags.split())


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("target, needs", [("AVX512VNNI", "avx512_vnni"), ("AVXVNNI", "avx_vnni"), ("AVX2", "avx2")])
def test_equal_on_each_vector_unit_without_compiler_flags(check, compiler, target, needs):
    if not processor_has(needs):
        pytest.skip(f"this processor has no {needs}")
    assert check(present(compiler), ["-O0", f"-DMS_TARGET_{target}"]) == target.lower()


@pytest.mark.parametrize("compiler, flags", [("gcc", []), ("clang", []), ("gcc", ["-march=native"])])
def test_no_undefined_behaviour_and_no_access_outside(check, compiler, flags):
    # clang 14 takes more than ten minutes to instrument the tiles of AVX-512
    check(present(compiler), SANITIZE + flags)


@pytest.mark.parametrize(
    "flags, name",
    [("-march=armv8.2-a+dotprod", "neon-dot"), ("-march=armv8.2-a+dotprod+i8mm", "neon-dot"), ("", "portable")],
)
def test_equal_on_aarch64(check, flags, name):
    emulator = (present("qemu-aarch64"), "-cpu", "max")
    assert check(present("aarch64-linux-gnu-gcc"), ["-O2", "-static", *flags.split()], emulator) == name


PICOLIBC = ["-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "--specs=picolibc.specs"]
MEMORY = {"flash": "0x80000000", "flash_size": "4M", "ram": "0x80400000", "ram_size": "16M", "stack_size": "64K"}


def test_equal_with_riscv_vectors_of_any_length(cases, file, tmp_path):
    """On the bare machine, whose compiler makes the rest of the program. Lanes that nothing promises become ones."""
    gcc, clang = present("riscv64-unknown-elf-gcc"), present("clang-16")
    listed = [gcc, *PICOLIBC, "-M", "-xc", "-"]
    found = subprocess.run(listed, input="#include <string.h>", capture_output=True, text=True, check=True).stdout
    headers = next(Path(word).parent for word in found.split() if word.endswith("/string.h"))
    flags = ["--target=riscv64-unknown-elf", "-march=rv64gcv", *PICOLIBC[1:3], "-O2", "-isystem", headers]
    write_kernels(tmp_path)
    command = [clang, *flags, *FLAGS, "-I", tmp_path, "-DMS_BARE", "-c", "-o", tmp_path / "driver.o", DRIVER]
    subprocess.run(command, check=True)
    places = [f"-Wl,--defsym=__{name}={value}" for name, value in MEMORY.items()]
    link = [
        gcc,
        *PICOLIBC,
        "--crt0=semihost",
        "--oslib=semihost",
        *places,
        tmp_path / "driver.o",
        "-o",
        tmp_path / "driver",
    ]
    subprocess.run(link, check=True, capture_output=True)
    (tmp_path / "cases.bin").symlink_to(file)
    for bits in (128, 256):
        processor = f"-cpu rv64,v=true,vlen={bits},rvv_ta_all_1s=true"
        board = f"{processor} -M virt -bios none -m 32M -nographic -monitor none -serial none"
        semihosting = "-chardev stdio,id=out -semihosting-config enable=on,target=native,chardev=out -kernel"
        emulator = ("timeout", "300", present("qemu-system-riscv64"), *board.split(), *semihosting.split())
        done = subprocess.run(
            [*emulator, tmp_path / "driver"], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert (done.returncode, done.stdout.strip()) == (0, "rvv"), done.stdout + done.stderr
        compare(cases, tmp_path / "result.bin")


def test_equal_with_the_arm_dsp_extension(check):
    emulator = (present("qemu-arm"),)
    flags = [
        "-O2",
        "-static",
        "-mcpu=cortex-a7",
        "-mfpu=vfpv4-d16",
    ]  # SMLAD as on a Cortex-M4, with an operating system
    assert check(present("arm-linux-gnueabihf-gcc"), flags, emulator) == "arm-dsp"


def test_wide_shift_is_the_same_function():
    multiplier, offset = np.array([5, -900]), np.array([1 << 20, -(1 << 22)])
    wide, far, shift = kernels.wide_shift(multiplier, offset, 17)
    assert shift == 32
    sums = np.arange(-(2**20), 2**20, 997)[:, None]
    assert np.array_equal((sums * wide + far) >> shift, (sums * multiplier + offset) >> 17)


def test_a_kernel_comes_with_all_that_it_includes():
    files = kernels.fast_files("ms_conv_u8.h")
    assert {
        "ms_isa.h",
        "ms_fast.h",
        "host/ms_avx512.h",
        "host/ms_conv_u8_avx512.h",
        "host/ms_conv_u8_neon.h",
        "ms_conv_u8_dsp.h",
    } <= set(files)
    assert "ms_xnor.h" not in files
