"""Check one layer of a network file: kernel, sizes, operands, working memory and stage."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.network_file.format.numbers import KERNELS, PLACES, STAGES, FileStage
from microstage_cbackend.network_file.format.records import ABSENT
from microstage_cbackend.network_file.reading.file import NetworkFile, damaged
from microstage_cbackend.network_file.reading.layers import kernel_of, sizes_of
from microstage_cbackend.network_file.reading.reach import REACHES, Reach
from microstage_cbackend.network_file.writing.contents import dtype_of

__all__ = ["check_layer"]

_ANY = ("x_step", "w_step", "y_step", "pad_value", "pad_top", "pad_left", "low", "high", "multiplier_a", "multiplier_b")
_ANY_SIZES = {*_ANY, "offset", "value", "x_row", "x_column", "x_channel", "x_multiplier", "w_multiplier"}
"Sizes that may be below zero."
_MAY_BE_ZERO = {"x_start", "y_start", "top", "left", "bottom", "right", "flip", "even", "zero", "shift", "last"}
_MAY_BE_ZERO |= {"run_h", "run_w", "tap_h", "tap_w", "y_row", "y_column", "depth", "bits"}
_KERNEL_NUMBERS, _STAGE_NUMBERS = {k.number for k in KERNELS}, {s.number: s for s in STAGES}


def check_layer(file: NetworkFile, part: np.void, record: np.void) -> None:
    """Raise `ArtefactError` where the layer of `part` is not what its kernel takes."""
    name = file.text(int(record["name"]))
    file.text(int(record["operator"]))
    if int(record["kernel"]) not in _KERNEL_NUMBERS or int(record["stage"]) not in _STAGE_NUMBERS:
        raise damaged(f"layer {name} has kernel {record['kernel']} and stage {record['stage']}, which there are not")
    sizes = sizes_of(record)
    _sizes(name, sizes)
    reach = REACHES[kernel_of(record).name](sizes)
    for what, number, start in zip(("x", "w", "third", "y"), record["operands"], record["starts"]):
        _operand(
            file, part, f"operand {what} of layer {name}", int(number), int(start), getattr(reach, what), what == "y"
        )
    if int(record["scratch"]) % 8 or int(record["scratch"]) + int(record["scratch_bytes"]) > int(part["arena_bytes"]):
        raise damaged(f"the working memory of layer {name} lies outside of its part's")
    _stage(file, name, record, _STAGE_NUMBERS[int(record["stage"])], reach)


def _sizes(name: str, sizes: dict[str, int]) -> None:
    for size, value in sizes.items():
        kind = size.partition("[")[0]
        if kind not in _ANY_SIZES and value < (0 if kind in _MAY_BE_ZERO else 1):
            raise damaged(f"layer {name} has {size} = {value}")
    if "groups" in sizes and (sizes["channels"] % sizes["groups"] or sizes["filters"] % sizes["groups"]):
        raise damaged(f"layer {name} has {sizes['channels']} channels in {sizes['groups']} groups")
    if "run_h" in sizes and "signs" not in sizes and sizes["bits"] not in (0, 1, 2, 4, 8):
        raise damaged(f"layer {name} has weights of {sizes['bits']} bits")


def _operand(
    file: NetworkFile, part: np.void, what: str, number: int, start: int, reached: int | tuple[int, int], written: bool
) -> None:
    """Check that an operand is a tensor of this part that holds all that is reached."""
    if number == ABSENT:
        if written:
            raise damaged(f"{what} is absent")
        return
    if number >= len(file.rows["TENS"]):
        raise damaged(f"{what} is tensor {number}, of {len(file.rows['TENS'])}")
    record = file.rows["TENS"][number]
    place, inputs = int(record["place"]), int(part["inputs"])
    if place == PLACES["argument"]:
        _argument(file, part, what, record)
    constant = place in (PLACES["constant"], PLACES["packed"])
    if written and (constant or place == PLACES["argument"] and int(record["offset"]) < inputs):
        raise damaged(f"{what} is a constant or an input")
    before, behind = reached if isinstance(reached, tuple) else (0, reached)
    if before > start or start + behind > int(record["elements"]):
        raise damaged(f"{what} reaches element {start + behind} of tensor {number}, which has {record['elements']}")


def _argument(file: NetworkFile, part: np.void, what: str, record: np.void) -> None:
    """Check that an argument is one of the part, of its type, with as many elements."""
    argument, count = int(record["offset"]), int(part["inputs"]) + int(part["outputs"])
    if argument >= count:
        raise damaged(f"{what} is argument {argument}, of {count}")
    face = file.rows["FACE"][int(part["first_face"]) + argument]
    if (face["ctype"], face["elements"]) != (record["ctype"], record["elements"]):
        raise damaged(f"{what} has another type or size than argument {argument}")


def _stage(file: NetworkFile, name: str, record: np.void, stage: FileStage, reach: Reach) -> None:
    """Check that the arrays of a stage are constants of their types, as long as its channels and levels need."""
    number = dict(zip(stage.numbers, record["numbers"].tolist()))
    rows, levels = number.get("rows", 1), number.get("levels", 0)
    if rows not in (1, reach.channels) or levels < 0 or not 0 <= number.get("shift", 0) <= 62:
        raise damaged(
            f"the stage of layer {name} has {rows} rows of {levels}, and its kernel {reach.channels} channels"
        )
    for (array, ctype), tensor in zip(stage.arrays.items(), record["arrays"].tolist()):
        needed = rows * levels if array == "thresholds" else reach.channels
        if tensor == ABSENT and (needed == 0 or array == "kink"):
            continue
        if tensor >= len(file.rows["TENS"]):
            raise damaged(f"the stage of layer {name} has no {array}")
        held = file.rows["TENS"][tensor]
        if held["place"] != PLACES["constant"] or file.ctype(held["ctype"]) != ctype or held["elements"] < needed:
            raise damaged(f"{array} of the stage of layer {name} are not {needed} constants of {dtype_of(ctype)}")
