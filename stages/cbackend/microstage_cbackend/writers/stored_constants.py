"""Write large constants as places in the network file: an assembler takes them from there, no compiler parses them.

Compilers without `.incbin` are served by a program, test/arrays.c, which writes the same constants as C.
"""

from __future__ import annotations

from collections.abc import Mapping

from microstage_cbackend.kernels.layouts import ROWS
from microstage_cbackend.kernels.small.orders import CONDITIONS as SMALL_CONDITIONS
from microstage_cbackend.program.arguments import BLOCKS, DEPTHWISE_BLOCKS
from microstage_cbackend.program.ir import Tensor, bits_of
from microstage_cbackend.writers.constants import FileSpan, Packed, Spans

__all__ = ["CONDITIONS", "arrays_program", "binary_line", "kept_in_file", "lies_in_text"]

CONDITIONS = {BLOCKS: "MS_BLOCKED", DEPTHWISE_BLOCKS: "MS_DEPTHWISE_BLOCKED", **SMALL_CONDITIONS}
"What a preprocessor says where weights lie in that order."
_MOST_IN_C = 4 << 20
"Bytes of constants beyond which the large ones are no text."
_LARGE = 1024

_PROGRAM = """\
/* make arrays: writes the constants of {model}.msn as C, for compilers without .incbin; -DMS_ARRAYS takes them. */
#include <inttypes.h>
#include <stdio.h>

typedef struct {{ const char *condition, *type, *name; long offset, count; int bytes, is_signed; }} constant;

static const constant constants[] = {{
{entries}
}};

/* The next value of `bytes` bytes, little-endian. */
static uint64_t next(FILE *file, int bytes)
{{
    uint64_t value = 0;
    for (int b = 0; b < bytes; b++) {{
        value |= (uint64_t)(unsigned char)fgetc(file) << 8 * b;
    }}
    return value;
}}

/* Two's complement without a constant that C does not have. */
static void print(uint64_t value, int bytes, int is_signed)
{{
    const uint64_t half = (uint64_t)1 << (8 * bytes - 1);
    if (is_signed && value & half) {{
        printf("-%" PRIu64 " - 1,", half - 1 - (value & (half - 1)));
    }} else {{
        printf("%" PRIu64 "u,", value);
    }}
}}

int main(int argc, char **argv)
{{
    FILE *file = fopen(argc > 1 ? argv[1] : "{model}.msn", "rb");
    if (!file) {{
        fprintf(stderr, "arrays: {model}.msn is not here\\n");
        return 2;
    }}
    for (unsigned n = 0; n < sizeof constants / sizeof *constants; n++) {{
        const constant *c = constants + n;
        printf("#if %s\\nconst %s %s[%ld] = {{", c->condition, c->type, c->name, c->count);
        if (fseek(file, c->offset, SEEK_SET)) {{
            return 2;
        }}
        for (long i = 0; i < c->count; i++) {{
            printf(i % 20 ? " " : "\\n    ");
            print(next(file, c->bytes), c->bytes, c->is_signed);
        }}
        printf("\\n}};\\n#endif\\n");
    }}
    return feof(file) ? 2 : 0;
}}
"""


def lies_in_text(constants: Mapping[str, Tensor | Packed]) -> bool:
    """Tell whether all constants together are few enough to be text."""
    return sum(_most_bytes(constant) for constant in constants.values()) <= _MOST_IN_C


def _most_bytes(constant: Tensor | Packed) -> int:
    """Count the bytes of a constant in the largest of its orders."""
    if isinstance(constant, Packed):
        return max(form.size for form in constant.forms.values()) * bits_of(constant.tensor.ctype) // 8
    return constant.bytes


def kept_in_file(constants: Mapping[str, Tensor | Packed], spans: Spans) -> Spans:
    """Return those of `spans` whose constants leave the C: the large ones, where all together are more than 4 MB."""
    if lies_in_text(constants):
        return {}
    held = {c.tensor if isinstance(c, Packed) else c: _most_bytes(c) for c in constants.values()}
    return {t: spans[t] for t, size in held.items() if t in spans and size >= _LARGE}


def binary_line(name: str, model: str, span: FileSpan) -> str:
    """Return the line that defines a constant as bytes of the network file."""
    return f'MS_BINARY({name}, "{model}.msn", {span.offset}, {span.bytes})'


def arrays_program(model: str, constants: Mapping[str, Tensor | Packed], spans: Spans) -> str:
    """Return the program that writes the constants of `spans` as C."""
    entries = []
    for name, c in constants.items():
        tensor = c.tensor if isinstance(c, Packed) else c
        others = [CONDITIONS[order] for order in spans.get(tensor, {}) if order != ROWS]
        for order, span in spans.get(tensor, {}).items():
            condition = CONDITIONS.get(order) or ("!" + others[0] if others else "1")
            width, signed = bits_of(tensor.ctype) // 8, int(not tensor.ctype.startswith("u"))
            said = f'"{condition}", "{tensor.ctype}", "{name}"'
            entries.append(f"    {{{said}, {span.offset}, {span.bytes // width}, {width}, {signed}}},")
    return _PROGRAM.format(model=model, entries="\n".join(entries))
