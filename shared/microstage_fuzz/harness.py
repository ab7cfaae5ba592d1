"""C that calls every function of a generated folder on arrays of exactly the size that its header says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["calls", "fuzzed", "public_headers"]

STEPS = 3
_KEPT = ("_stream", "_stream_int16", "_follower")
"Structures that are what functions left of them, from zeros on."
_STRUCTURES = ("_state", *_KEPT)

_FUZZED = """#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
{includes}
static const uint8_t *data;
static size_t left, next;

/* The next bytes of the input, from its front again where it ends. The first byte narrows integers, so that many lie in
 * their ranges. */
static void fill_input(unsigned char *to, size_t n, size_t size)
{{
    const unsigned bits = data[0] % 8u + 1u, wide = data[0] & 8u, both = data[0] & 16u;
    for (size_t i = 0; i < n; i++) {{
        const unsigned byte = data[next++ % left], low = byte & ((1u << bits) - 1u);
        const unsigned minus = both && (byte >> (bits - 1u) & 1u);
        const unsigned above = both && i % size && (to[i - 1] & 0x80u) ? 0xffu : 0u;
        to[i] = (unsigned char)(wide ? byte : i % size ? above : minus ? low | (0xffu << bits) : low);
    }}
}}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{{
    void (*const fills[])(unsigned char *, size_t, size_t) = {{ fill_input }};
    const size_t f = 0;
    int called = 0;
    if (count == 0) {{
        return 0;
    }}
    data = bytes;
    left = count;
    next = 0;
    {model}_ctx ctx = {{ malloc(sizeof({model}_arena)) }};
{calls}
    free(ctx.arena);
    return called > 1 << 20;
}}
"""


def public_headers(folder: Path) -> list[Path]:
    """Return the headers of a generated folder that declare functions for users."""
    return [path for path in sorted(folder.glob("*.h")) if re.search(r"_status \w+\(", path.read_text())]


def fuzzed(folder: Path) -> str:
    """Return a fuzzer's target that fills the arguments of every function in `folder` from its input."""
    headers = public_headers(folder)
    model = min((path.stem for path in headers), key=len)
    return _FUZZED.format(
        includes="\n".join(f'#include "{path.name}"' for path in headers),
        model=model,
        calls="\n".join(call for path in headers for call in calls(path.read_text())),
    )


def calls(header: str) -> list[str]:
    """Return C that calls every function of `header` on arrays of exactly the size that it says, filled by fills[f]."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    found = re.findall(r"^(\w+_status) (\w+)\(([^)]*)\);", text, re.MULTILINE)
    sizes = {name: int(size) for *_, arguments in found for name, size in re.findall(r"(\w+)\[(\d+)\]", arguments)}
    return [_call(function, " ".join(arguments.split()).split(", "), sizes) for _, function, arguments in found]


def _call(function: str, arguments: Sequence[str], sizes: dict[str, int]) -> str:
    lines: list[str] = []
    made: list[str] = []
    given = ["&ctx"] if "_ctx " in arguments[0] else []
    for argument in arguments[len(given) :]:
        told = re.fullmatch(r"(?:const )?(\w+) \*?(\w+)(?:\[(\d+)\])?", argument)
        assert told, argument
        kind, name, size = told.groups()
        if argument == "int32_t steps":
            given.append(str(STEPS))
        elif "*" in argument or size:
            lines += _array(kind, name, int(size or (1 if kind.endswith(_STRUCTURES) else STEPS * sizes[name])))
            given, made = [*given, name], [*made, name]
        else:  # a sample
            lines += [f"{kind} {name}; fills[f]((void *)&{name}, sizeof {name}, sizeof {name});"]
            given.append(name)
    lines += [f"if ({function}({', '.join(given)}) < 4) called++;", *(f"free({name});" for name in made)]
    return "        {\n" + "\n".join(f"            {line}" for line in lines) + "\n        }"


def _array(kind: str, name: str, count: int) -> list[str]:
    """Return the lines that make `count` values in memory of their own, filled."""
    unit = "1" if count == 1 else f"sizeof({kind})"
    fill = f"memset({name}, 0, n)" if kind.endswith(_KEPT) else f"fills[f]((void *){name}, n, {unit})"
    return [
        f"{kind} *{name} = malloc({count} * sizeof({kind}));",
        f"{{ size_t n = {count} * sizeof({kind}); {fill}; }}",
    ]
