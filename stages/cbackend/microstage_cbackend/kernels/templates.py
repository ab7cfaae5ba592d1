"""Make kernels for the types of a network: readable C in kernels/ over x_t, w_t, acc_t, y_t and a stage.

One is made for each combination that is used. They are static, in headers that <network>.c includes: two networks in
one program share no symbol (docs/adr/0013).
"""

from __future__ import annotations

import re
from pathlib import Path

from microstage_cbackend.program.ir import KernelCall

__all__ = ["KernelSet"]

_FOLDER = Path(__file__).parent
_SHORT = {
    "int8_t": "i8",
    "uint8_t": "u8",
    "int16_t": "i16",
    "uint16_t": "u16",
    "int32_t": "i32",
    "int64_t": "i64",
    "uint64_t": "u64",
}
_KERNELS = {path.stem for path in _FOLDER.glob("*.c")}


class KernelSet:
    """Collect the kernels that a model needs.

    `of(layer)` gives the name of a layer's function, `files()` the C that defines all of them.
    """

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}

    def of(self, layer: KernelCall) -> str:
        """Return the name of the function for `layer`: ms_<operator>_<x>[_<w>][_a<accumulator>]_<y>[_<stage>]."""
        types = {"x_t": layer.inputs[0].ctype}
        if len(layer.inputs) > 1:
            types["w_t"] = layer.inputs[1].ctype
        if layer.accumulator:
            types["acc_t"] = layer.accumulator
        types["y_t"] = layer.output.ctype
        if layer.stage:
            types["stage_t"] = f"ms_{layer.stage.kind}"
        return self._add(layer.kernel, types)

    def within(self, ctype: str) -> str:
        """Return the name of the range check for values of `ctype`."""
        return self._add("ms_within", {"x_t": ctype})

    def files(self, network: str) -> dict[str, str]:
        """Return file name -> C text: one file per kernel, and the headers that they need.

        `<network>_kernels.h` includes all of them.
        """
        found = {f"{name}.h": text for name, text in self._sources.items()}
        guard = [
            "/* The kernels of this folder, each described at the top of its file: static, for one network, which has "
            "its own. */"
        ]
        macro = f"{network.upper()}_KERNELS_H"
        guard += [f"#ifndef {macro}", f"#define {macro}", "", '#include "ms_layers.h"', '#include "ms_shapes.h"']
        texts = [*found.values(), "\n".join(guard)]
        found[f"{network}_kernels.h"] = "\n".join([*guard, *(f'#include "{file}"' for file in found), "", "#endif", ""])
        while texts:
            for header in re.findall(r'#include "(\w+\.h)"', texts.pop()):
                if header not in found:
                    found[header] = (_FOLDER / header).read_text()
                    texts.append(found[header])
        return found

    def _add(self, kernel: str, types: dict[str, str]) -> str:
        """Make `kernel` for `types` ({token: C type}), with the kernels that it calls.

        Returns the name of its function.
        """
        text = (_FOLDER / f"{kernel}.c").read_text()
        used = {token: name for token, name in types.items() if re.search(rf"\b{token}\b", text)}
        parts = [
            ("a" if token == "acc_t" else "") + _SHORT.get(name, name.removeprefix("ms_"))
            for token, name in used.items()
        ]
        name = "_".join([kernel, *parts])
        if name not in self._sources:
            for other in sorted(set(re.findall(r"\b(ms_\w+)\(", text)) & _KERNELS - {kernel}):
                self._add(other, {})
            if "stage_t" in used:
                used["finish"] = used["stage_t"].replace("ms_", "ms_finish_")
            for token, ctype in used.items():
                text = re.sub(rf"\b{token}\b", ctype, text)
            self._sources[name] = _as_header(name, re.sub(rf"\b{kernel}\b", name, _with_own_helpers(name, text)))
        return name


def _with_own_helpers(name: str, text: str) -> str:
    """Name the functions that a kernel calls after it.

    Several versions of a kernel stand in one unit.
    """
    for helper in re.findall(r"^static [\w *]*?(\w+)\(", text, re.MULTILINE):
        text = re.sub(rf"\b{helper}\b", f"{name}_{helper}", text)
    return text


def _as_header(name: str, text: str) -> str:
    """Make the kernel's text a header that defines one static function."""
    guard = f"{name.upper()}_H"
    text = re.sub(rf"^(\w+ {name}\()", r"static \1", text, flags=re.MULTILINE)
    head = [f"#ifndef {guard}", f"#define {guard}", "", '#include "ms_layers.h"', '#include "ms_shapes.h"']
    return text.replace('#include "ms_kernels.h"', "\n".join(head)) + "\n#endif\n"
