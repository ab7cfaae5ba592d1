"""Kernels are readable C in kernels/ over x_t, w_t, acc_t and y_t; one is made per combination of types used."""

from __future__ import annotations

import re
from pathlib import Path

from microstage_cbackend.ir import Layer

__all__ = ["KernelSet"]

_FOLDER = Path(__file__).parent / "kernels"
_SHORT = {"int8_t": "i8", "uint8_t": "u8", "int16_t": "i16", "uint16_t": "u16", "int32_t": "i32", "int64_t": "i64"}


class KernelSet:
    """The kernels that a model needs: `of(layer)` gives the function's name, `files()` the C that defines all of them."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}

    def of(self, layer: Layer) -> str:
        """Name of the function for `layer`: ms_<operator>_<x>_<w>[_a<accumulator>]_<y>."""
        types = {"x_t": layer.inputs[0].ctype}
        if len(layer.inputs) > 1:
            types["w_t"] = layer.inputs[1].ctype
        if layer.accumulator:
            types["acc_t"] = layer.accumulator
        return self._add(layer.kernel, types | {"y_t": layer.output.ctype})

    def within(self, ctype: str) -> str:
        """Name of the range check for values of `ctype`."""
        return self._add("ms_within", {"x_t": ctype})

    def files(self) -> dict[str, str]:
        """File name -> C text: one file per kernel, `ms_kernels.h` with their prototypes, `ms_shapes.h`."""
        found = {f"{name}.c": text for name, text in sorted(self._sources.items())}
        prototypes = [re.search(r"^\w+ ms_[^{]*", text, re.MULTILINE)[0].strip() + ";" for text in found.values()]
        guard = ["/* Prototypes of the kernels of this folder; each is described at the top of its file. */"]
        guard += ["#ifndef MS_KERNELS_H", "#define MS_KERNELS_H", "", '#include "ms_shapes.h"', ""]
        found["ms_kernels.h"] = "\n".join([*guard, *prototypes, "", "#endif", ""])
        found["ms_shapes.h"] = (_FOLDER / "ms_shapes.h").read_text()
        return found

    def _add(self, kernel: str, types: dict[str, str]) -> str:
        parts = [("a" if token == "acc_t" else "") + _SHORT[ctype] for token, ctype in types.items()]
        name = "_".join([kernel, *parts])
        if name not in self._sources:
            text = (_FOLDER / f"{kernel}.c").read_text()
            for token, ctype in types.items():
                text = re.sub(rf"\b{token}\b", ctype, text)
            self._sources[name] = re.sub(rf"\b{kernel}\b", name, text)
        return name
