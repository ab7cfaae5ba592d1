"""Make kernel calls of the layers of a network file again."""

from __future__ import annotations

from math import prod

import numpy as np

from microstage.requantise import MultiplyAddShift, Raw, Search, Shared
from microstage_cbackend.network_file.format.numbers import KERNELS, STAGES, FileKernel
from microstage_cbackend.network_file.format.records import ABSENT
from microstage_cbackend.network_file.reading.file import NetworkFile
from microstage_cbackend.program.ir import KernelCall, Requantisation, Tensor
from microstage_cbackend.program.wide import Wide

__all__ = ["kernel_of", "layer_of", "sizes_of", "stage_of_file"]

_FAR = 1 << 62
_BY_NUMBER, _STAGES = {kernel.number: kernel for kernel in KERNELS}, {stage.number: stage for stage in STAGES}


def kernel_of(record: np.void) -> FileKernel:
    """Return the kernel of a layer, whose number is known to be one."""
    return _BY_NUMBER[int(record["kernel"])]


def sizes_of(record: np.void) -> dict[str, int]:
    """Return the sizes of a layer by name."""
    kernel = kernel_of(record)
    shape = zip(kernel.sizes, record["shape"].tolist())
    return dict(shape) | dict(zip(kernel.factors, record["factors"].tolist()))


def layer_of(file: NetworkFile, record: np.void) -> KernelCall:
    """Return the layer of a record; its tensors are as long as the memory that it may reach."""
    kernel, sizes = kernel_of(record), sizes_of(record)
    x, w, third, y = (
        _tensor(file, int(number), int(start)) for number, start in zip(record["operands"], record["starts"])
    )
    if w is not None and kernel.w == "PACK" and kernel.name.startswith("ms_conv_u8"):
        w.data = _rows(w.integers.view(np.uint8), sizes)
    limits = [third] if kernel.name == "ms_xnor_bits" else []
    assert y is not None
    return KernelCall(
        file.text(int(record["name"])),
        file.text(int(record["operator"])),
        kernel.name,
        [t for t in (x, w, *limits) if t is not None],
        y,
        _as_given(sizes),
        file.ctype(record["accumulator"]) if record["accumulator"] else "",
        stage=Raw() if kernel.name == "ms_conv_u8_sums" else stage_of_file(file, record),
        bias=None if limits else third,
        packed_bits=sizes["bits"] if kernel.name.endswith("_packed") else 0,
        signs=sizes.get("signs", 0),
        reach=(np.array([-_FAR]), np.array([_FAR])),
    )


def _tensor(file: NetworkFile, number: int, start: int) -> Tensor | None:
    """Return the operand that begins at element `start` of a tensor."""
    if number == ABSENT:
        return None
    record = file.rows["TENS"][number]
    size, ctype, name = int(record["elements"]), file.ctype(record["ctype"]), file.text(int(record["name"]))
    whole = Tensor(name, (size,), int(record["low"]), int(record["high"]), declared=ctype)
    if record["place"] in (2, 4):
        whole.data = file.values(number)
    return whole.view(name, np.arange(start, size)) if start else whole


def _rows(packed: np.ndarray, s: dict[str, int]) -> np.ndarray:
    """Return the weights [filters, used] of a layout of rows."""
    bits, used = s["bits"], s["runs_h"] * s["runs_w"] * s["length"]
    fields = packed.reshape(s["filters"], 1, -1) >> (np.arange(8 // bits)[:, None] * bits) & ((1 << bits) - 1)
    values = fields.reshape(s["filters"], -1)[:, :used].astype(np.int64)
    half = 1 << (bits - 1)
    return 1 - 2 * values if bits == 1 else (values ^ half) - half


def _as_given(sizes: dict[str, int]) -> dict[str, int | list[int]]:
    """Return sizes as layers have them: four elements as a list."""
    found: dict[str, int | list[int]] = {}
    for name, value in sizes.items():
        if name.endswith("]"):
            found.setdefault(name[:-3], []).append(value)  # type: ignore[union-attr]
        else:
            found[name] = value
    return found


def stage_of_file(file: NetworkFile, record: np.void) -> Requantisation | None:
    """Return the stage of a layer; None where it has none."""
    stage = _STAGES[int(record["stage"])]
    arrays = [file.optional(int(number)) for number in record["arrays"]]
    array = {n: v.astype(np.int64) for n, v in zip(stage.arrays, arrays) if v is not None}
    number, wide = dict(zip(stage.numbers, record["numbers"].tolist())), int(record["wide"])
    if stage.name.startswith("raw"):
        return Raw(stage.name == "raw64")
    if stage.name.startswith("search"):
        rows, levels = number["rows"], number["levels"]
        thresholds = array.get("thresholds", np.zeros(0, np.int64)).reshape(rows, levels)
        return Search(thresholds, number["scale"], number["bias"], stage.name == "search64")
    if stage.name == "shared32":
        return Shared(array["thresholds"], array["offset"], number["shift"], number["bias"])
    if stage.name == "wide64":
        return _wide(array, number, wide)
    if stage.name == "requant":
        return _requant(array, number, wide)
    return _line(stage.name, array, number, wide) if stage.number else None


def _line(name: str, array: dict[str, np.ndarray], number: dict[str, int], edge: int) -> MultiplyAddShift:
    held = number["shift"], number["low"], number["high"]
    return MultiplyAddShift(
        array["multiplier"], array["offset"], *held, name == "even64", bool(number.get("odd")), name != "affine32",
        array.get("kink"), edge,
    )  # fmt: skip


def _requant(array: dict[str, np.ndarray], number: dict[str, int], edge: int) -> MultiplyAddShift:
    """Return the line of a specialised kernel, whose flip and half are taken off again."""
    shift, flip = number["shift"], number["flip"]
    half = 1 << (shift - 1) if number["even"] else 0
    return MultiplyAddShift(
        array["multiplier"], array["offset"] - (flip << shift) - half, shift, number["low"] - flip,
        number["high"] - flip, bool(number["even"]), bool(number["zero"]), True, array.get("kink"),
        edge - (flip << shift),
    )  # fmt: skip


def _wide(array: dict[str, np.ndarray], number: dict[str, int], ties: int) -> Wide:
    multiplier, addend = (
        np.array([int(high) * (1 << 24) + int(low) for high, low in zip(array[upper], array[lower])], object)
        for upper, lower in (("upper", "lower"), ("addend", "fine"))
    )
    held = number["low"], number["high"]
    return Wide(multiplier, addend, number["shift"] + 24, *held, ties << 24, bool(number["odd"]), split=True)


def result_places(layer: KernelCall, count: int) -> np.ndarray:
    """Return where, from the output's first element on, the `count` values lie that the layer computes."""
    s = layer.shape
    if "y_row" not in s:
        return np.arange(count)
    rows, columns = np.arange(s["out_height"])[:, None] * s["y_row"], np.arange(s["out_width"]) * s["y_column"]
    each = count // prod((s["out_height"], s["out_width"]))
    return ((rows + columns)[..., None] + np.arange(each)).ravel()
