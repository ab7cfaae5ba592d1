"""Define what the numbers in a network file stand for: types, places, kernels, stages, calls, layouts, roundings."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BY_KERNEL",
    "BY_STAGE",
    "CALLS",
    "CTYPES",
    "KERNELS",
    "LAYOUTS",
    "PLACES",
    "PROGRAMS",
    "ROUNDINGS",
    "STAGES",
    "FileKernel",
    "FileStage",
]

CTYPES = {
    "int8_t": 1,
    "uint8_t": 2,
    "int16_t": 3,
    "uint16_t": 4,
    "int32_t": 5,
    "int64_t": 6,
    "uint64_t": 7,
    "double": 8,
}
PLACES = {"arena": 1, "constant": 2, "argument": 3, "packed": 4}
LAYOUTS = {"rows": 1, "blocks": 2, "depthwise_blocks": 3}
PROGRAMS = {"infer": 1, "step": 2, "reset": 3, "part": 4}
ROUNDINGS = {
    "ROUND": 1, "HALF_UP": 2, "HALF_DOWN": 3, "UP": 4, "DOWN": 5, "FLOOR": 6, "CEIL": 7, "SIGN": 8, "THRESHOLDS": 9,
}  # fmt: skip
CALLS = {
    "run": (1, "the part `subject`; arguments: its inputs, then its outputs"),
    "zero": (2, "argument 0 becomes zeros"),
    "move": (3, "`count` integers of argument 0 (from_type) into argument 1 (to_type), each wrapped to its type"),
    "repeat": (4, "the next `subject` calls, `count` times over"),
    "turn": (
        5,
        "`count` integers of argument 0 into argument 1, of one type: v becomes floor(-v / 2^d + 1/2), held to "
        "-most..most; d = the int8 at argument 2 less that at argument 3",
    ),
    "turn_sum": (
        6,
        "the same, where `most` is multiplied by the integer at i % `subject` of argument 4, which has `subject` "
        "integers of to_type",
    ),
    "forget": (
        7,
        "for each of `count` integers n of argument 0 (from_type) that is at least `most`: every `count`-th integer v "
        "of argument 1 (`subject` of to_type), from that place on, becomes (v + 1) >> 1, and n becomes most >> 1",
    ),
}


@dataclass(frozen=True)
class FileStage:
    """Describe a stage: `arrays` {member: C type}, then numbers of 32 bits, then one of 64."""

    name: str
    number: int
    arrays: dict[str, str]
    numbers: tuple[str, ...]
    wide: str = ""


_LINE = {"multiplier": "int32_t", "offset": "int64_t"}
_HELD = ("shift", "low", "high")
_COUNTED = ("rows", "levels", "scale", "bias")
STAGES = (
    FileStage("none", 0, {}, ()),
    FileStage("raw32", 1, {}, ()),
    FileStage("raw64", 2, {}, ()),
    FileStage("affine32", 3, {"multiplier": "int32_t", "offset": "int32_t"}, _HELD),
    FileStage("affine64", 4, _LINE, _HELD),
    FileStage("even64", 5, _LINE, (*_HELD, "odd")),
    FileStage("kink64", 6, {**_LINE, "kink": "int64_t"}, _HELD, "edge"),
    FileStage(
        "wide64", 7, {"upper": "int64_t", "addend": "int64_t", "lower": "int32_t", "fine": "int32_t"},
        (*_HELD, "odd"), "ties",
    ),
    FileStage("search16", 8, {"thresholds": "int16_t"}, _COUNTED),
    FileStage("search32", 9, {"thresholds": "int32_t"}, _COUNTED),
    FileStage("search64", 10, {"thresholds": "int64_t"}, _COUNTED),
    FileStage("shared32", 11, {"thresholds": "int32_t", "offset": "int32_t"}, ("levels", "shift", "bias")),
    FileStage("requant", 12, {**_LINE, "kink": "int64_t"}, (*_HELD, "even", "zero", "flip"), "edge"),
)  # fmt: skip
BY_STAGE = {stage.name: stage for stage in STAGES}


@dataclass(frozen=True)
class FileKernel:
    """Describe a kernel: its C structure of sizes, these in order, those that are arguments of their own, operands.

    `x`, `w`, `third`, `y`: what the operands are; empty where there is none.
    """

    name: str
    number: int
    struct: str
    shape: tuple[str, ...]
    x: str
    w: str = ""
    third: str = ""
    y: str = ""
    more: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[str, ...]:
        """Name the fields of `shape` of a layer, in order."""
        return (*self.shape, *self.more)


def _four(*names: str) -> tuple[str, ...]:
    """Name the four elements of arrays that are followed by ` []`, the others as they are."""
    return tuple(
        each for name in names for each in ([f"{name[:-2]}[{i}]" for i in range(4)] if name.endswith("[]") else [name])
    )


_WINDOW = ("kernel_h", "kernel_w", "stride_h", "stride_w")
_LINEAR = ("rows", "depth", "columns")
_CONV2D = (
    "height", "width", "channels", "out_height", "out_width", "filters", "groups",
    *_WINDOW, "dilation_h", "dilation_w", "pad_top", "pad_left", "pad_value",
)  # fmt: skip
_POOL = ("outer", "height", "width", "inner", "out_height", "out_width", *_WINDOW, "pad_top", "pad_left")
_PAIR = _four("size[]", "x_step[]", "w_step[]")
_CONV_U8 = (
    "out_height", "out_width", "filters", "runs_h", "runs_w", "length", "depth",
    "run_h", "run_w", "x_row", "x_column", "y_row", "y_column", "bits",
)  # fmt: skip
_TAPS = (
    "out_height", "out_width", "channels", "kernel_h", "kernel_w", "tap_h", "tap_w",
    "x_row", "x_column", "y_row", "y_column",
)  # fmt: skip
_PAD = (
    "height", "width", "channels", "top", "left", "bottom", "right", "value",
    "x_row", "x_column", "x_channel", "flip",
)  # fmt: skip
_IMAGE, _OUT = "[height][width][channels]", "[out_height][out_width]"
_WINDOWS = f"[outer]{_OUT}[inner]"
_FILTERS = "[filters][kernel_h][kernel_w][channels / groups]"
_ROWS = ("[rows][depth]", "[columns][depth]", "bias [columns]", "[rows][columns]")
KERNELS = (
    FileKernel("ms_linear", 1, "ms_linear_shape", _LINEAR, *_ROWS),
    FileKernel("ms_linear_packed", 2, "ms_linear_shape", _LINEAR, *_ROWS, more=("bits",)),
    FileKernel("ms_conv2d", 3, "ms_conv2d_shape", _CONV2D, _IMAGE, _FILTERS, "bias [filters]", f"{_OUT}[filters]"),
    FileKernel(
        "ms_conv2d_packed", 4, "ms_conv2d_shape", _CONV2D, _IMAGE, _FILTERS, "bias [filters]", f"{_OUT}[filters]",
        more=("bits",),
    ),
    FileKernel(
        "ms_depthwise", 5, "ms_conv2d_shape", _CONV2D, _IMAGE, "[kernel_h][kernel_w][channels]", "bias [channels]",
        f"{_OUT}[channels]",
    ),
    FileKernel(
        "ms_im2col", 6, "ms_im2col_shape", tuple(s for s in _CONV2D if s not in ("filters", "groups")), _IMAGE,
        y=f"{_OUT}[kernel_h][kernel_w][channels]",
    ),
    FileKernel("ms_max_pool", 7, "ms_max_pool_shape", _POOL, "[outer][height][width][inner]", y=_WINDOWS),
    FileKernel("ms_sum_pool", 8, "ms_sum_pool_shape", _POOL, "[outer][height][width][inner]", y=_WINDOWS),
    FileKernel("ms_or_pool", 9, "ms_max_pool_shape", _POOL, "[outer][height][width][inner] words", y=_WINDOWS),
    FileKernel("ms_add", 10, "ms_pair_shape", _PAIR, "walked with x_step", "walked with w_step", y="dense"),
    FileKernel("ms_mul", 11, "ms_pair_shape", _PAIR, "walked with x_step", "walked with w_step", y="dense"),
    FileKernel(
        "ms_blend", 12, "ms_blend_shape", _PAIR, "walked with x_step", "walked with w_step", y="dense",
        factors=("x_multiplier", "w_multiplier"),
    ),
    FileKernel(
        "ms_copy", 13, "ms_copy_shape", _four("size[]", "x_start", "x_step[]", "y_start", "y_step[]"),
        "from x_start, walked with x_step", y="from y_start, walked with y_step",
    ),
    FileKernel("ms_gather", 14, "ms_gather_shape", ("count",), "any", "places [count]", y="[count]"),
    FileKernel(
        "ms_stage", 15, "ms_stage_shape", ("outer", "channels", "inner"), "[outer][channels][inner]",
        y="[outer][channels][inner]",
    ),
    FileKernel("ms_table", 16, "ms_table_shape", ("count", "low"), "[count]", "[values that x has]", y="[count]"),
    FileKernel(
        "ms_softmax", 17, "ms_softmax_shape", ("outer", "depth", "count", "bits"), "[outer][depth]", "exp [count]",
        y="[outer][depth]",
    ),
    FileKernel(
        "ms_top", 18, "ms_top_shape", ("outer", "count", "inner", "keep", "last"), "[outer][count][inner]",
        y="[outer][keep][inner]",
    ),
    FileKernel(
        "ms_take", 19, "ms_take_shape", ("outer", "count", "inner", "keep"), "[outer][count][inner]",
        "places [outer][keep][inner]", y="[outer][keep][inner]",
    ),
    FileKernel("ms_pack", 20, "ms_pack_shape", ("rows", "count", "words"), "[rows][count] bytes", y="[rows][words]"),
    FileKernel("ms_xnor_sums", 21, "ms_conv_u8_shape", _CONV_U8, "words", "PACK", y="sums", more=("signs",)),
    FileKernel("ms_xnor_bits", 22, "ms_conv_u8_shape", _CONV_U8, "words", "PACK", "limits [filters]", "words"),
    FileKernel("ms_conv_u8", 23, "ms_conv_u8_shape", _CONV_U8, "bytes", "PACK", y="bytes"),
    FileKernel("ms_conv_u8_sums", 24, "ms_conv_u8_shape", _CONV_U8, "bytes", "PACK", y="sums"),
    FileKernel("ms_depthwise_u8", 25, "ms_depthwise_u8_shape", _TAPS, "bytes", "PACK", y="bytes"),
    FileKernel("ms_average_u8", 26, "ms_depthwise_u8_shape", _TAPS, "bytes", y="bytes"),
    FileKernel(
        "ms_add_u8", 27, "ms_add_u8_shape",
        ("count", "multiplier_a", "multiplier_b", "offset", "shift", "low", "high", "even", "zero", "flip"),
        "[count] bytes", "[count] bytes", y="[count] bytes",
    ),
    FileKernel("ms_pad_u8", 28, "ms_pad_u8_shape", _PAD, "walked with x_row, x_column, x_channel", y="framed image"),
    FileKernel("ms_frame_u8", 29, "ms_pad_u8_shape", _PAD, "", y="framed image; the frame is written"),
)  # fmt: skip
BY_KERNEL = {kernel.name: kernel for kernel in KERNELS}
