"""Write <model>_features.h and .c: sound in, the network's input or its answer out.

They are written where the interface says how the network's input is made of sound. All is computed in integers
(kernels/ms_cepstra.h): the C library and the compiler's floats have no say in it.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from microstage.interface.cepstra import Cepstra
from microstage.untrusted.printable import printable
from microstage_cbackend.kernels.layouts import fast_files
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.writers import features_text as text
from microstage_cbackend.writers.api import Api
from microstage_cbackend.writers.constants import rows
from microstage_cbackend.writers.features_tables import Tables
from microstage_cbackend.writers.infer_api import InferApi
from microstage_cbackend.writers.names import CPLUSPLUS, Names
from microstage_cbackend.writers.signatures import signature

__all__ = ["FeaturesApi", "features_api"]


def features_api(api: Api) -> FeaturesApi | None:
    """Return the functions on sound, None where the interface has no `features`."""
    features = api.model.features
    return FeaturesApi(api, api.infer, features) if features and api.infer else None


class FeaturesApi:
    """Write the functions on sound of a network whose only input is made of `features`."""

    def __init__(self, api: Api, infer: InferApi, features: Cepstra) -> None:
        self.model, self.name, self.upper = api.model, api.model.name, api.model.name.upper()
        self.features, self.input, self.outputs = features, infer.inputs[0], infer.outputs
        self.facts = self.model.facts_of_ends().get(features.input, {})
        self.tables = Tables(features, self.facts["scale"])

    @property
    def streams(self) -> bool:
        """Tell whether a window is whole hops."""
        return self.features.samples % self.features.hop == 0

    @property
    def classes(self) -> tuple[str, ...]:
        """Return names of the answers, where one output has as many integers, of one scale."""
        known = self.model.facts_of_ends().get(self.outputs[0][0], {})
        one = len(self.outputs) == 1 and not any(isinstance(known.get(fact), list) for fact in ("scale", "offset"))
        return self.model.classes if one and self.outputs[0][1].size == len(self.model.classes) else ()

    @property
    def has_wav(self) -> bool:
        """Tell whether there is a program that hears a WAV file."""
        return self.streams and bool(self.classes)

    @property
    def stream_bytes(self) -> int:
        """Count the bytes of `<model>_sound`."""
        f = self.features
        return 4 * f.frames * f.bands + 2 * (self._held * f.hop + f.samples // f.hop) + 12

    @property
    def _held(self) -> int:
        """Count the hops that a frame lies in."""
        return -(-self.features.window // self.features.hop)

    def files(self) -> dict[str, str]:
        """Return file name -> text."""
        words = self._words()
        files = {
            f"{self.name}_features.h": _filled(text.HEADER, words),
            f"{self.name}_features.c": _filled(text.SOURCE, words),
        }
        return files | fast_files("ms_cepstra.h")

    def readme(self) -> list[str]:
        """Return lines of README.md: what to call, in which order, and what it takes."""
        more = {"STREAM": text.README_STREAM if self.streams else "", "WAV": text.README_WAV if self.has_wav else ""}
        return _filled(text.README, self._words() | more).split("\n")

    def prototypes(self) -> dict[str, str]:
        """Return {what it does: prototype} of the functions."""
        pcm, features = f"const int16_t pcm[{self.features.samples}]", f"{self.input.ctype} features[{self.input.size}]"
        answers, ctx = [f"{t.ctype} {n}[{t.size}]" for n, t in self._answers], f"const {self.name}_ctx *ctx"
        sound, hop = f"{self.name}_sound *sound", f"const int16_t hop[{self.features.hop}]"
        found = {"FEATURES": self._function("features", ctx, pcm, features)}
        found["INFER"] = self._function("infer_sound", ctx, pcm, *answers)
        if self.streams:
            found["RESET"] = signature("void", f"{self.name}_sound_reset", [sound])
            found["PUSH"] = self._function("sound_push", ctx, sound, hop)
            found["HEARD"] = self._function("sound_features", f"const {sound}", features)
        if self.classes:
            found["CLASS_OF"] = signature("int32_t", f"{self.name}_class", [f"const {answers[0]}"])
        return found

    def _function(self, name: str, *arguments: str) -> str:
        return signature(f"{self.name}_status", f"{self.name}_{name}", list(arguments))

    @property
    def _answers(self) -> list[tuple[str, Tensor]]:
        """Return the outputs by their names in C."""
        names = Names(self.name)
        for own in ("ctx", "pcm", "features", "status", "best", "i"):
            names.fresh(own)
        return [(names.fresh(name), t) for name, t in self.outputs]

    def _words(self) -> dict[str, Any]:
        answers = ", ".join(n for n, _ in self._answers)
        names = ", ".join(_literal(printable(name)) for name in self.classes)
        words: dict[str, Any] = {
            "STREAM_HEADER": text.STREAM_HEADER if self.streams else "",
            "CLASSES_HEADER": text.CLASSES_HEADER if self.classes else "",
            "STREAM": text.STREAM if self.streams else "",
            "CLASSES": text.CLASSES if self.classes else "",
            "USED": f"puts({self.name}_classes[{self.name}_class({answers})]);" if self.classes else "...",
            "ARRAYS": "".join(f"{t.ctype} {n}[{t.size}];\n" for n, t in self._answers),
        }
        words |= {
            "NAME": self.name,
            "UPPER": self.upper,
            "ANSWERS": answers,
            "CLASS_NAMES": names,
            "CLASS_COUNT": len(self.classes),
        }
        words |= {
            "OPEN": "\n".join(CPLUSPLUS[0]),
            "CLOSE": "\n".join(CPLUSPLUS[1]),
            "TABLES": "\n".join(self._tables()),
        }
        return words | self.prototypes() | self._sizes()

    def _sizes(self) -> dict[str, Any]:
        f, t, zero = self.features, self.tables, int(self.facts.get("zero_point") or 0)
        low, high = self.facts.get("range") or (self.input.low, self.input.high)
        words: dict[str, Any] = {
            name.upper(): getattr(f, name) for name in ("rate", "samples", "window", "hop", "bands", "frames")
        }
        words |= {"COUNT": f.coefficients, "LOWEST": f"{f.lowest:g}", "HIGHEST": f"{f.highest:g}", "HELD": self._held}
        words |= {
            "RANGE": f"{low}..{high}",
            "LOW": low - zero,
            "HIGH": high - zero,
            "ZERO": f" + {zero}" if zero else "",
        }
        words |= {
            "TYPE": self.input.ctype,
            "SIZE": self.input.size,
            "SCALE": self.facts["scale"],
            "HOPS": f.samples // f.hop,
        }
        words |= {"HALF": t.half, "FIRST": int(t.used[0]), "WEIGHT": t.weight_bits, "SHIFT": t.shift, "FLOOR": t.floor}
        tables = sum(values.size * np.dtype(ctype.removesuffix("_t")).itemsize for _, ctype, values in self._arrays())
        return words | {"TABLE_BYTES": tables, "STREAM_BYTES": self.stream_bytes}

    def _arrays(self) -> list[tuple[str, str, np.ndarray]]:
        """Return name, type and values of the tables."""
        t = self.tables
        return [
            ("ms_hann", "int32_t", t.hann),
            ("ms_cosine", "int32_t", t.cosine),
            ("ms_reversed", "uint8_t" if t.half <= 256 else "uint16_t", t.reversed),
            ("ms_bins", "uint16_t", t.bins),
            ("ms_rising", "uint32_t", t.rising),
            ("ms_roots", "uint16_t", t.roots),
            ("ms_inverses", "uint32_t", t.inverses),
            ("ms_logarithms", "int32_t", t.logarithms),
            ("cosines", "int32_t", t.cosines.ravel()),
        ]

    def _tables(self) -> list[str]:
        lines = []
        for name, ctype, values in self._arrays():
            lines += [f"static const {ctype} {name}[{values.size}] = {{", *rows(values.astype(np.int64), 10), "};"]
        return lines


def _literal(text: str) -> str:
    """Return `text` as a C string in UTF-8; whatever has a meaning there as a number."""
    plain = set(range(32, 127)) - set(b'"\\?@')
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode()) + '"'


def _filled(template: str, words: dict[str, Any]) -> str:
    """Replace each @WORD@ of `template`, and those in what replaces it."""
    return re.sub(r"@(\w+)@", lambda found: _filled(str(words[found[1]]), words), template)
