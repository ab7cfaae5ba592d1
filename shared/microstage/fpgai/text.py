"""FPGAI's text: `{name}_weight.txt` has all weights and biases, `{name}_quant.txt` what they mean.

A line `#` stands before the weights of each layer, a line `$` before its biases. Ten numbers make a line, with commas
between them; the last line of each may have fewer. Layers follow each other as data flows, weights as [out, in, height,
width] lie in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from microstage.errors import IntegrityError
from microstage.files.atomic import write_whole
from microstage.fpgai.layer import QuantisedLayer, Shapes, content, joined, sizes
from microstage.fpgai.quantisation_text import read_numbers, write_numbers

__all__ = ["read_text", "write_text"]

_A_LINE = 10
_LINE = re.compile(r"-?[0-9]{1,10}(,-?[0-9]{1,10})*")
_MARKS = {"#": ("weights", 0, 255), "$": ("biases", -(2**31), 2**31 - 1)}


def write_text(folder: Path, name: str, layers: Sequence[QuantisedLayer]) -> None:
    """Write both files of a network called `name`."""
    write_whole(folder / f"{name}_weight.txt", "".join(_lines(layers)).encode())
    write_numbers(folder / f"{name}_quant.txt", layers)


def _lines(layers: Iterable[QuantisedLayer]) -> Iterator[str]:
    for layer in layers:
        for mark, values in zip(_MARKS, (layer.weight, layer.bias)):
            yield f"{mark}\n"
            texts = list(map(str, values.ravel().tolist()))
            for begin in range(0, len(texts), _A_LINE):
                yield f"{','.join(texts[begin : begin + _A_LINE])}\n"


def read_text(folder: Path, name: str, shapes: Shapes | None = None) -> list[QuantisedLayer]:
    """Return the layers of a network called `name`; weights are [out, all others] unless their `shapes` are given.

    Raise `IntegrityError` for a file that is damaged, cut off, or of another network, with its line.
    """
    path = folder / f"{name}_weight.txt"
    blocks = list(_blocks(path))
    weights, biases = blocks[::2], blocks[1::2]
    numbers = read_numbers(folder / f"{name}_quant.txt")
    if len(numbers) != len(biases):
        raise IntegrityError(
            f"{path} has {len(biases)} layers, and {name}_quant.txt {len(numbers)} lines: they are of two networks."
        )
    for place, (weight, bias) in enumerate(zip(weights, biases), 1):
        if len(weight) % len(bias):
            raise IntegrityError(
                f"{path}: layer {place} has {len(weight)} weights, which {len(bias)} biases do not divide."
            )
    if shapes is None:
        shapes = [(len(bias), len(weight) // len(bias)) for weight, bias in zip(weights, biases)]
    _assert_fit(path, [(len(weight), len(bias)) for weight, bias in zip(weights, biases)], shapes)
    return joined(weights, biases, numbers, shapes)


def _assert_fit(path: Path, found: Sequence[tuple[int, int]], shapes: Shapes) -> None:
    expected = [(size, shape[0]) for size, shape in zip(sizes(shapes), shapes)]
    if list(found) != expected:
        place = next((i for i, (one, other) in enumerate(zip(found, expected)) if one != other), None)
        said = (
            f"{len(found)} layers, expected {len(expected)}"
            if place is None
            else f"{found[place][0]} weights and {found[place][1]} biases in layer {place + 1},"
            f" expected {expected[place][0]} and {expected[place][1]}"
        )
        raise IntegrityError(f"{path} has {said}.")


def _blocks(path: Path) -> Iterator[np.ndarray]:
    """Yield weights and biases in turn, int64."""
    lines = content(path).decode("latin-1").replace("\r\n", "\n").split("\n")
    if len(lines) < 2 or lines.pop():
        raise IntegrityError(f"{path} breaks off: its last line has no end.")
    marked = [place for place, line in enumerate(lines) if line in _MARKS]
    if not marked or marked[0] or len(marked) % 2:
        raise IntegrityError(
            f"{path} breaks off or is no file of weights: a layer is a line #, weights, a line $, biases."
        )
    for index, (begin, end) in enumerate(zip(marked, [*marked[1:], len(lines)])):
        mark = "#$"[index % 2]
        if lines[begin] != mark:
            raise IntegrityError(f"{path}, line {begin + 1} is {lines[begin]!r}; expected {mark!r}.")
        yield _numbers(path, lines[begin + 1 : end], begin + 2, mark)


def _numbers(path: Path, lines: Sequence[str], first: int, mark: str) -> np.ndarray:
    what, lowest, highest = _MARKS[mark]
    for place, line in enumerate(lines):
        count = line.count(",") + 1
        if not _LINE.fullmatch(line) or count > _A_LINE or (count < _A_LINE and place + 1 < len(lines)):
            raise IntegrityError(
                f"{path}, line {first + place} is {line[:40]!r}; expected {_A_LINE} whole numbers with commas between."
            )
    values = np.array(",".join(lines).split(",") if lines else [], np.int64)
    if not len(values):
        raise IntegrityError(f"{path}, line {first}: there are no {what}.")
    if values.min() < lowest or values.max() > highest:
        raise IntegrityError(
            f"{path}: the {what} from line {first} on reach from {values.min()} to {values.max()}; allowed is"
            f" {lowest} to {highest}."
        )
    return values
