"""Instructions of each layer: of C in which every layer says that it begins."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from microstage_bench.footprint.firmware import Build, Firmware

__all__ = ["CountedLayer", "by_layer", "marked"]

_LAYER = re.compile(r"^    /\* (\d+\. [^:]*):(.*?)\*/", re.MULTILINE | re.DOTALL)
_FUNCTION = re.compile(r"^\w+_status (\w+)\(", re.MULTILINE)
_PRODUCTS = re.compile(r"([\d,]+) products")


@dataclass(frozen=True)
class CountedLayer:
    """A layer of a function as the C calls it, and its multiply-accumulates, 0 where it has none."""

    function: str
    name: str
    products: int


@contextmanager
def marked(firmware: Firmware) -> Iterator[tuple[Firmware, list[CountedLayer]]]:
    """Yield the firmware of the same C with marks, and all layers that it has, in the order of the text."""
    folder = firmware.scratch / "marked"
    shutil.copytree(firmware.folder, folder)
    layers: list[CountedLayer] = []
    for path in sorted(folder.glob("*.c")):
        path.write_text(_with_marks(path.read_text(), layers))
    yield replace(firmware, folder=folder, marks=len(layers)), layers
    shutil.rmtree(folder)


def _with_marks(text: str, layers: list[CountedLayer]) -> str:
    """Return C that calls ms_mark before each layer, and note the layers."""

    def with_mark(found: re.Match[str]) -> str:
        function = [*_FUNCTION.finditer(text, 0, found.start())][-1][1]
        products = _PRODUCTS.search(" ".join(found[2].replace("*", " ").split()))
        count = int(products[1].replace(",", "")) if products else 0
        layers.append(CountedLayer(function, " ".join(found[1].split()), count))
        return f"    ms_mark({len(layers)});\n{found[0]}"

    return "void ms_mark(int);\n" + _LAYER.sub(with_mark, text)


def by_layer(firmware: Firmware, build: Build) -> list[int]:
    """Return the instructions of each layer of the firmware with marks; 0 of one that was not called."""
    firmware.link(build)
    words = firmware.run(build)
    return [int(words[f"layer{n}"]) for n in range(1, firmware.marks + 1)]
