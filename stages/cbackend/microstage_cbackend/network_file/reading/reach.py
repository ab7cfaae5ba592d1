"""Say which elements of its operands a kernel may reach, and how many channels its stage has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import NamedTuple

from microstage_cbackend.kernels.layouts import depthwise_lanes

__all__ = ["REACHES", "Reach"]

Sizes = Mapping[str, int]


class Reach(NamedTuple):
    """Count the elements from an operand's first on that a kernel may touch; `channels` of its stage.

    `scratch`: elements of working memory, of the type that the kernel has it in. A tuple of two says also how many lie
    before the first.
    """

    x: int | tuple[int, int] = 0
    w: int | tuple[int, int] = 0
    third: int = 0
    y: int | tuple[int, int] = 0
    channels: int = 1
    scratch: int = 0


def _linear(s: Sizes) -> Reach:
    packed = -(-s["depth"] * s.get("bits", 8) // 8)
    scratch = s["depth"] if "bits" in s else 0
    columns = s["columns"]
    return Reach(s["rows"] * s["depth"], columns * packed, columns, s["rows"] * columns, columns, scratch)


def _conv2d(s: Sizes) -> Reach:
    taps, filters = s["kernel_h"] * s["kernel_w"] * (s["channels"] // s["groups"]), s["filters"]
    image, packed = s["height"] * s["width"] * s["channels"], -(-taps * s.get("bits", 8) // 8)
    return Reach(image, filters * packed, filters, s["out_height"] * s["out_width"] * filters, filters, taps)


def _depthwise(s: Sizes) -> Reach:
    c, image = s["channels"], s["height"] * s["width"] * s["channels"]
    return Reach(image, s["kernel_h"] * s["kernel_w"] * c, c, s["out_height"] * s["out_width"] * c, c, c)


def _im2col(s: Sizes) -> Reach:
    image = s["height"] * s["width"] * s["channels"]
    patch = s["kernel_h"] * s["kernel_w"] * s["channels"]
    return Reach(image, y=s["out_height"] * s["out_width"] * patch)


def _pool(s: Sizes) -> Reach:
    outer = s["outer"] * s["inner"]
    return Reach(s["height"] * s["width"] * outer, y=s["out_height"] * s["out_width"] * outer)


def _walk(s: Sizes, steps: str) -> tuple[int, int]:
    """Return how far a walk goes back from where it begins, and how far on."""
    ways = [(s[f"size[{i}]"] - 1) * s[f"{steps}[{i}]"] for i in range(4)]
    return -sum(way for way in ways if way < 0), 1 + sum(way for way in ways if way > 0)


def _pair(s: Sizes) -> Reach:
    return Reach(_walk(s, "x_step"), _walk(s, "w_step"), y=prod(s[f"size[{i}]"] for i in range(4)))


def _copy(s: Sizes) -> Reach:
    (x_back, x_on), (y_back, y_on) = _walk(s, "x_step"), _walk(s, "y_step")
    x, y = s["x_start"], s["y_start"]
    return Reach((x_back - x, x_on + x), y=(y_back - y, y_on + y))


def _positions(s: Sizes, of: str) -> int:
    return (s["out_height"] - 1) * s[f"{of}_row"] + (s["out_width"] - 1) * s[f"{of}_column"]


def _patch(s: Sizes) -> int:
    return (s["runs_h"] - 1) * s["run_h"] + (s["runs_w"] - 1) * s["run_w"] + s["length"]


def _conv_u8(s: Sizes) -> Reach:
    slack, bits = 32 // s["bits"] - 1, s["bits"]
    patches = min(4, s["out_height"] * s["out_width"]) + (bits < 8)
    x, y = _positions(s, "x") + _patch(s) + slack, _positions(s, "y") + s["filters"]
    return Reach(x, s["filters"] * s["depth"] * bits // 8, y=y, channels=s["filters"], scratch=patches * s["depth"])


def _xnor(s: Sizes, each: int) -> Reach:
    w = -(-s["filters"] // 8) * 8 * s["runs_h"] * s["runs_w"] * s["length"]
    y = _positions(s, "y") + -(-s["filters"] // each)
    return Reach(_positions(s, "x") + _patch(s), w, s["filters"], y, s["filters"])


def _taps(s: Sizes, lanes: int) -> Reach:
    tap = (s["kernel_h"] - 1) * s["tap_h"] + (s["kernel_w"] - 1) * s["tap_w"]
    c, x = s["channels"], _positions(s, "x") + tap + lanes
    return Reach(x, s["kernel_h"] * s["kernel_w"] * c, y=_positions(s, "y") + c, channels=c)


def _pad(s: Sizes) -> Reach:
    steps = [
        (s[size] - 1) * s[step]
        for size, step in (("height", "x_row"), ("width", "x_column"), ("channels", "x_channel"))
    ]
    frame = (s["top"] + s["height"] + s["bottom"]) * (s["left"] + s["width"] + s["right"]) * s["channels"]
    return Reach((-sum(v for v in steps if v < 0), 1 + sum(v for v in steps if v > 0)), y=frame)


def _rows(s: Sizes, *names: str) -> int:
    return prod(s[name] for name in names)


REACHES: dict[str, Callable[[Sizes], Reach]] = {
    "ms_linear": _linear,
    "ms_linear_packed": _linear,
    "ms_conv2d": _conv2d,
    "ms_conv2d_packed": _conv2d,
    "ms_depthwise": _depthwise,
    "ms_im2col": _im2col,
    "ms_max_pool": _pool,
    "ms_sum_pool": _pool,
    "ms_or_pool": _pool,
    "ms_add": _pair,
    "ms_mul": _pair,
    "ms_blend": _pair,
    "ms_copy": _copy,
    "ms_gather": lambda s: Reach(1, s["count"], y=s["count"]),
    "ms_stage": lambda s: Reach(
        _rows(s, "outer", "channels", "inner"), y=_rows(s, "outer", "channels", "inner"), channels=s["channels"]
    ),
    "ms_table": lambda s: Reach(s["count"], 1, y=s["count"]),
    "ms_softmax": lambda s: Reach(s["outer"] * s["depth"], s["count"], y=s["outer"] * s["depth"]),
    "ms_top": lambda s: Reach(_rows(s, "outer", "count", "inner"), y=_rows(s, "outer", "keep", "inner")),
    "ms_take": lambda s: Reach(
        _rows(s, "outer", "count", "inner"), _rows(s, "outer", "keep", "inner"), y=_rows(s, "outer", "keep", "inner")
    ),
    "ms_pack": lambda s: Reach(s["rows"] * s["count"], y=s["rows"] * s["words"]),
    "ms_xnor_sums": lambda s: _xnor(s, 1),
    "ms_xnor_bits": lambda s: _xnor(s, 64),
    "ms_conv_u8": _conv_u8,
    "ms_conv_u8_sums": _conv_u8,
    "ms_depthwise_u8": lambda s: _taps(s, depthwise_lanes(s["channels"])),
    "ms_average_u8": lambda s: _taps(s, s["channels"])._replace(channels=1),
    "ms_add_u8": lambda s: Reach(s["count"], s["count"], y=s["count"]),
    "ms_pad_u8": _pad,
    "ms_frame_u8": _pad,
}
"Sizes of a layer by name -> what it reaches."
