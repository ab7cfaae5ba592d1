"""Write the part of <model>_float.h and .c that takes one sample at a time, of a network that takes a whole window."""

from __future__ import annotations

from math import prod

from microstage_cbackend.program.ir import Part
from microstage_cbackend.writers.real_ends import RealEnds
from microstage_cbackend.writers.signatures import signature

__all__ = ["WindowPush", "window_push"]


def window_push(ends: RealEnds) -> WindowPush | None:
    """Return the functions, None but for one window with a gain, an encoder that steps over it, and one answer."""
    recurrent = ends.model.recurrent
    one = len(ends.inputs) == len(ends.outputs) == 1
    if not (ends.possible and ends.gain and one and recurrent and recurrent.encoder):
        return None
    return WindowPush(ends, recurrent.encoder)


class WindowPush:
    """Write `_stream_reset` and `_push`: an answer comes with each step of the `encoder`."""

    def __init__(self, ends: RealEnds, encoder: Part) -> None:
        self.name, self.upper = ends.name, ends.upper
        self._size, self._answers = ends.inputs[0].size, ends.outputs[0][1].size
        self._hop = prod(layer.shape.get("stride_w", 1) for layer in encoder.layers)
        "Samples per recurrent step: the product of the encoder's strides."

    def signature(self) -> str:
        """Return the prototype of `_push`, without its semicolon."""
        fixed = [f"const {self.name}_ctx *ctx", f"{self.name}_stream *stream"]
        arguments = [*fixed, "float sample", f"float answer[{self._answers}]"]
        return signature(f"{self.name}_status", f"{self.name}_push", arguments)

    def declarations(self) -> list[str]:
        """Return the lines of the header."""
        size, fields = self._size, f"float samples[{self._size}]; int32_t next, filled, since;"
        return [
            "",
            f"/* The last {size} samples of a waveform; all zero bytes is an empty one. */",
            f"typedef struct {{ {fields} }} {self.name}_stream;",
            "",
            f"void {self.name}_stream_reset({self.name}_stream *stream);",
            f"/* Takes one sample. {self.upper}_OK: answer holds that of the last {size} samples; "
            f"{self.upper}_WAITING: not enough samples yet.",
            f" * An answer comes with the sample that fills the window and with every {self._hop}th after it. */",
            f"#define {self.upper}_WAITING (({self.name}_status)3)",
            f"{self.signature()};",
        ]

    def definitions(self) -> list[str]:
        """Return the lines of both functions."""
        size, name = self._size, self.name
        return [
            f"void {name}_stream_reset({name}_stream *stream)",
            "{",
            f"    *stream = ({name}_stream){{0}};",
            "}",
            "",
            self.signature(),
            "{",
            "    if (!ctx || !stream || !answer) {",
            f"        return {self.upper}_NULL;",
            "    }",
            "    stream->samples[stream->next] = sample;",
            f"    stream->next = (stream->next + 1) % {size};",
            f"    if (stream->filled < {size}) {{",
            "        stream->filled++;",
            f"        stream->since = {self._hop - 1};",
            "    }",
            f"    if (stream->filled < {size} || ++stream->since < {self._hop}) {{",
            f"        return {self.upper}_WAITING;",
            "    }",
            "    stream->since = 0;",
            f"    float window[{size}];",
            f"    for (int32_t i = 0; i < {size}; i++) {{",
            f"        window[i] = stream->samples[(stream->next + i) % {size}];",
            "    }",
            f"    return {name}_infer_float(ctx, window, answer);",
            "}",
            "",
        ]
