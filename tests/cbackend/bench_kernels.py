"""Speed of the fast kernels on the layers of the MLPerf Tiny networks, beside the processor's own peak.

    PYTHONPATH=shared:stages/cbackend python tests/cbackend/bench_kernels.py [--compiler gcc] [--flags="-O3
    -march=native"] [--layers]

One thread on one core. A layer's kernel is compiled with its shape as constants, first compared with the portable form,
then called until 20 us have passed, round after round over all layers; the median of the rounds counts. Peak: a loop of
the best int8 instruction that the flags allow on registers alone. Kernels only: no input, no fill of borders, no
output.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from microstage_cbackend.kernels import layouts as kernels

HEADERS = ("ms_conv_u8.h", "ms_depthwise_u8.h", "ms_average_u8.h", "ms_add_u8.h")
ROUNDS = 25

Layer = tuple[str, tuple[int, ...]]


def conv(size: int, channels: int, filters: int, kernel: int = 3, stride: int = 1) -> Layer:
    return "conv", (size // stride, size // stride, channels, filters, kernel, kernel, stride)


def depthwise(height: int, width: int, channels: int, stride: int = 1) -> Layer:
    return "depthwise", (height // stride, width // stride, channels, stride)


def dense(inputs: int, outputs: int) -> Layer:
    return "conv", (1, 1, inputs, outputs, 1, 1, 1)


def mobilenet() -> list[Layer]:
    layers, size, channels = [conv(96, 3, 8, 3, 2)], 48, 8
    for filters, stride in [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)]:
        layers += [depthwise(size, size, channels, stride), conv(size // stride, channels, filters, 1)]
        size, channels = size // stride, filters
    return [*layers, ("average", (3, 3, 256)), dense(256, 2)]


NETWORKS: dict[str, list[Layer]] = {
    "ResNet8": [
        conv(32, 3, 16),
        conv(32, 16, 16),
        conv(32, 16, 16),
        ("add", (32 * 32 * 16,)),
        conv(32, 16, 32, 3, 2),
        conv(16, 32, 32),
        conv(32, 16, 32, 1, 2),
        ("add", (16 * 16 * 32,)),
        conv(16, 32, 64, 3, 2),
        conv(8, 64, 64),
        conv(16, 32, 64, 1, 2),
        ("add", (8 * 8 * 64,)),
        ("average", (8, 8, 64)),
        dense(64, 10),
    ],
    "DS-CNN": [
        ("conv", (25, 5, 1, 64, 10, 4, 2)),
        *[depthwise(25, 5, 64), ("conv", (25, 5, 64, 64, 1, 1, 1))] * 4,
        ("average", (25, 5, 64)),
        dense(64, 12),
    ],
    "MobileNetV1-0.25": mobilenet(),
    "autoencoder": [
        dense(a, b)
        for a, b in zip(
            [640, 128, 128, 128, 128, 8, 128, 128, 128, 128], [128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
        )
    ],
}


def macs(layer: Layer) -> int:
    kind, size = layer
    if kind == "conv":
        height, width, channels, filters, kernel_h, kernel_w, _ = size
        return height * width * channels * filters * kernel_h * kernel_w
    return size[0] * size[1] * size[2] * 9 if kind == "depthwise" else 0


def call(layer: Layer, portable: str = "") -> str:
    """The C call of a layer with constant shapes; `portable` is "_c" for the plain form."""
    kind, size = layer
    packed, y = ("rows", "other") if portable else ("MS_BLOCKED ? blocks : rows", "y")
    if kind == "conv":
        height, width, channels, filters, kernel_h, kernel_w, stride = size
        row = ((width - 1) * stride + kernel_w) * channels
        shape = [
            height,
            width,
            filters,
            kernel_h,
            1,
            kernel_w * channels,
            kernels.row_depth(kernel_h * kernel_w * channels),
        ]
        shape += [row, 0, stride * row, stride * channels, width * filters, filters, 8]
        return f"ms_conv_u8{portable}(x, {packed}, {y}, scratch, &(const ms_conv_u8_shape){{{_text(shape)}}}, &q)"
    if kind == "depthwise":
        height, width, channels, stride = size
        row = ((width - 1) * stride + 3) * channels
        shape = [
            height,
            width,
            channels,
            3,
            3,
            row,
            channels,
            stride * row,
            stride * channels,
            width * channels,
            channels,
        ]
        packed = packed.replace("MS_BLOCKED", "MS_DEPTHWISE_BLOCKED")
        return f"ms_depthwise_u8{portable}(x, {packed}, {y}, &(const ms_depthwise_u8_shape){{{_text(shape)}}}, &q)"
    if kind == "average":
        height, width, channels = size
        shape = [1, 1, channels, height, width, width * channels, channels, 0, 0, 0, 0]
        return f"ms_average_u8(x, {y}, &(const ms_depthwise_u8_shape){{{_text(shape)}}}, &q)"
    return (
        f"ms_add_u8(x, x + {size[0]}, {y}, &(const ms_add_u8_shape){{{size[0]}, 612345, 834567, 1 << "
        f"19, 20, 0, 255, 0, 0, 0}})"
    )


def _text(shape: list[int]) -> str:
    return ", ".join(map(str, shape))


def fill(layer: Layer) -> str:
    """Random weights of the layer in both packings."""
    kind, size = layer
    if kind == "conv":
        _, _, channels, filters, kernel_h, kernel_w, _ = size
        return (
            f"fill_conv({filters}, {kernel_h}, {kernel_w * channels}, "
            f"{kernels.row_depth(kernel_h * kernel_w * channels)})"
        )
    return f"fill_depthwise({size[2]})" if kind == "depthwise" else "(void)0"


def program(layers: list[Layer]) -> str:
    """The benchmark's C: prints the peak, then the microseconds of every layer in every round."""
    lines = ['#include "bench_kernels.h"', ""]
    for number, layer in enumerate(layers):
        for name, portable in (("layer", ""), ("plain", "_c")):
            lines += [f"static __attribute__((noinline)) void {name}{number}(void)", "{"]
            lines += [
                f"    const ms_requant q = {{multiplier, offset, 38, 0, 255, 0, 0, 0, 0, 0}};\n    (void)q;\n    "
                f"{call(layer, portable)};",
                "}",
            ]
        lines += [f"static void fill{number}(void) {{ {fill(layer)}; }}", ""]
    for name in ("layer", "plain", "fill"):
        lines += [f"static void (*const {name}s[])(void) = {{{', '.join(f'{name}{n}' for n in range(len(layers)))}}};"]
    return "\n".join(
        [*lines, f"int main(void) {{ return bench(fills, layers, plains, {len(layers)}, {ROUNDS}); }}", ""]
    )


def measure(layers: list[Layer], compiler: str, flags: list[str]) -> tuple[str, float, dict[Layer, list[float]]]:
    """Instruction set, peak in GMAC/s, microseconds per round of each layer."""
    with tempfile.TemporaryDirectory() as name:
        folder, here = Path(name), Path(__file__).parent
        for file, text in kernels.fast_files(*HEADERS).items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text)
        (folder / "bench.c").write_text(program(layers))
        files = ["-o", str(folder / "bench"), str(folder / "bench.c")]
        subprocess.run(
            [compiler, "-std=c99", "-D_POSIX_C_SOURCE=200809L", *flags, f"-I{folder}", f"-I{here}", *files], check=True
        )
        lines = subprocess.run([str(folder / "bench")], check=True, capture_output=True, text=True).stdout.splitlines()
    times = [list(map(float, line.split())) for line in lines[2:]]
    return lines[0], float(lines[1]), dict(zip(layers, times))


def report(instructions: str, peak: float, times: dict[Layer, list[float]], title: str, each: bool) -> None:
    print(f"\n{title}: {instructions}, peak {peak:.0f} GMAC/s")
    for network, layers in NETWORKS.items():
        rounds = [sum(values) for values in zip(*(times[layer] for layer in layers))]
        total, best, work = statistics.median(rounds), min(rounds), sum(map(macs, layers))
        rate = work / total / 1000
        print(
            f"  {network:18s} {work:11,d} MAC {total:8.2f} us (best {best:8.2f}) {rate:7.1f} GMAC/s "
            f"{rate / peak:5.0%} of peak"
        )
        for layer, count in Counter(layers).items() if each else ():
            median = statistics.median(times[layer])
            rate = macs(layer) / median / 1000
            print(
                f"    {count} x {layer[0]:9s} {'x'.join(map(str, layer[1])):22s} {median:8.2f} us {rate:7.1f} GMAC/s "
                f"{rate / peak:5.0%}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", action="append")
    parser.add_argument("--flags", action="append")
    parser.add_argument("--layers", action="store_true")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    information = Path("/proc/cpuinfo").read_text()
    named = dict(map(str.strip, line.split(":", 1)) for line in information.splitlines() if ":" in line)
    flags = [flag for flag in named.get("flags", "").split() if flag.startswith(("avx", "popcnt", "sse4"))]
    print(f"{named.get('model name', 'unknown processor')}: {' '.join(flags)}")
    layers = list(dict.fromkeys(layer for network in NETWORKS.values() for layer in network))
    for compiler in arguments.compiler or ["gcc"]:
        for flags in arguments.flags or [
            "-O3 -march=native",
            "-O3 -march=native -DMS_PORTABLE",
            "-O3 -mavx2",
            "-O3 -mavx2 -DMS_PORTABLE",
        ]:
            report(*measure(layers, compiler, flags.split()), f"{compiler} {flags}", arguments.layers)


if __name__ == "__main__":
    main()
