"""Write README.md of the written folder: functions, integers, scales, units, memory."""

from __future__ import annotations

from microstage.untrusted.printable import in_markdown
from microstage_cbackend.program.model import Model
from microstage_cbackend.writers.emit import WrittenModel
from microstage_cbackend.writers.features import FeaturesApi
from microstage_cbackend.writers.kernel_pages import kernel_pages
from microstage_cbackend.writers.names import quoted
from microstage_cbackend.writers.quantising import shown
from microstage_cbackend.writers.real_api import RealApi

__all__ = ["readme"]

_FIRMWARE = """
## In a firmware

This folder, named `{name}`, is a library for each of these; `make library TO=folder` copies what a firmware needs of \
it, as packers do:
neither golden vectors nor `test/`, `examples/board`, and `host/`, the vector kernels of large processors. All symbols \
begin with
`{name}_`: networks of other names, of other versions too, link beside it.

| build system | what to do |
|---|---|
| CMake | `add_subdirectory({name})`, then `target_link_libraries(firmware {name})`; or install it, and \
`find_package({name})` and `{name}::{name}` |
| Zephyr | `-DZEPHYR_EXTRA_MODULES=/path/to/{name}` and `CONFIG_{upper}_NETWORK=y` |
| ESP-IDF | `components/{name}`; `compote component pack --name {name}` makes an archive |
| PlatformIO | `lib/{name}`; `pio pkg pack` makes an archive |
| Arduino | `libraries/{name}`, from `make library TO=libraries` |
| any other | compile the .c files beside this page, not those in folders; `#include "{name}.h"` |

{tried}
"""
_TRIED = """`examples/board` is a whole program for a NUCLEO-F446RE: `make -C examples/board` builds it, `make -C \
examples/board run` runs the same
program under qemu, `make -C examples/board flash` puts it on the board. It prints answers of golden vectors and the \
core's cycles.

"""
_UNTRIED = """CMake, gcc for Cortex-M and qemu have built and run such folders, and PlatformIO's and Espressif's \
packers have packed them. The
SDKs of Zephyr, ESP-IDF, PlatformIO and Arduino have not built them, and no board has run them: \
those files follow the documentation."""


def readme(program: WrittenModel, real: RealApi, sound: FeaturesApi | None, vectors: int, stored: bool) -> str:
    """Return the text; `vectors`: how many golden vectors the self test replays; `stored`: weights are no C."""
    lines = [
        *_what(program),
        *_functions(program, real, sound),
        *real.reach(),
        *_integers(program.model),
        *real.entering(),
        *real.ranked(),
        *(sound.readme() if sound else []),
        *_memory(program),
        *kernel_pages(program),
        *_file(program.model.name, stored),
        *_checking(program, vectors),
        *_firmware(program),
        "",
        "Right shifts of negative integers keep the sign, as in every compiler in use, and int has",
        "32 bits, which AVR's has not: the C refuses to compile where that is not so.",
        "",
    ]
    return "\n".join(lines)


def _what(program: WrittenModel) -> list[str]:
    """Say what the folder is, and whether it is the whole network."""
    name, missing = program.model.name, program.model.missing
    lines = [
        f"# {name}",
        "",
        "A quantised neural network in C99: integers alone, no dependencies, no allocation, no written globals.",
        "",
    ]
    if missing:
        cut = "It was cut short; these operators, and what follows them, are not computed here:"
        lines += [f"**Not the whole network.** {cut}", "", *(f"- {in_markdown(found)}" for found in missing), ""]
    return [
        *lines,
        "```c",
        f'#include "{name}.h"',
        "",
        f"static {name}_arena arena;                 /* {_arenas(program)} bytes, one per thread */",
        f"const {name}_ctx ctx = {{ &arena }};",
        "```",
    ]


def _functions(program: WrittenModel, real: RealApi, sound: FeaturesApi | None) -> list[str]:
    """Show the prototypes, header by header, and say what functions return."""
    name, upper = program.model.name, program.model.name.upper()
    lines = ["", "## Functions", "", "```c"]
    lines += [f"{w.signature()};" for w in program.writers] + program.api.declarations()
    for header, functions in real.prototypes().items():
        lines += ["", f"/* {header} */", *(f"{text};" for text in functions)]
    if sound:
        lines += ["", f"/* {name}_features.h */", *(f"{text};" for text in sound.prototypes().values())]
    return [
        *lines,
        "```",
        "",
        f"Each returns `{upper}_OK`, `{upper}_NULL` (a pointer is null) or `{upper}_OUT_OF_RANGE` (an input is "
        "outside its",
        "range, on which the proofs rest). Arrays are dense and must not overlap.",
        *program.places.described(),
    ]


def _integers(model: Model) -> list[str]:
    """Say what the integers of each part's inputs and outputs mean."""
    lines = ["", "## Integers", "", "value = scale x (integer - zero point) + offset", ""]
    if model.interface.get("rounding") == "tflite":
        lines += [
            "What is between them is rounded as TensorFlow Lite Micro's reference kernels do: every tensor is theirs, "
            "to the bit.",
            "",
        ]
    lines += [
        "| tensor | shape | type | range | scale | zero point | offset | unit |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for part in model.parts:
        facts = model.facts(part)
        for n, t in [*((t.name, t) for t in part.inputs), *zip(part.output_names, part.outputs)]:
            known = facts.get(n, {})
            cells = [f"{part.name}.{quoted(n)}", list(t.shape), t.ctype, f"{t.low}..{t.high}"]
            scale, offset = (shown(known.get(fact) or 0, t.shape) for fact in ("scale", "offset"))
            cells += [scale if "scale" in known else "", known.get("zero_point", 0), offset]
            lines.append("| " + " | ".join(str(c) for c in [*cells, in_markdown(known.get("unit", ""))]) + " |")
    return lines


def _arenas(program: WrittenModel) -> str:
    return ", ".join(f"{machine.arena_bytes} of {machine.name}" for machine in program.machines)


def _memory(program: WrittenModel) -> list[str]:
    """Say how much memory the network needs."""
    lines = [
        "",
        "## Memory",
        "",
        "| of | constants | arena | what the busiest layer alone needs |",
        "|---|---|---|---|",
    ]
    for m in program.machines:
        lines.append(f"| {m.name} | {m.constant_bytes} bytes | {m.arena_bytes} bytes | {m.arena_bound} bytes |")
    return lines


def _file(name: str, stored: bool) -> list[str]:
    """Say what the network file is for."""
    lines = ["", "## The network as a file", ""]
    holds = f"`{name}.msn` holds the same network for programs that load it at run time"
    if not stored:
        return [*lines, f"{holds}; the C is complete without it."]
    return [
        *lines,
        f"{holds}, and the weights of this C: gcc and",
        "clang take them from there (`ms_binary.h`), so it stays beside the C. For compilers without `.incbin` `make "
        "arrays`",
        "writes them as C, which `-DMS_ARRAYS` takes. With `-flto`, say where the file is: "
        "`-DMS_FOLDER='\"/folder/\"'`.",
    ]


def _checking(program: WrittenModel, vectors: int) -> list[str]:
    """Say how the folder is tested and timed."""
    lines = ["", "## Checking and timing", ""]
    lines += [
        f"`make check` replays {vectors} golden vectors through every part; `make bench` times a call. With CMake: "
        "`ctest`."
    ]
    if program.headers:
        lines += [
            f"`make check DISPATCH=1` (CMake: `-D{program.model.name.upper()}_DISPATCH=ON`) compiles `host/`, where "
            "the processor is asked once, before",
            "`main`, for the instructions that it has: x86-64, gcc or clang. Constants are then there once per "
            "instruction set.",
        ]
    return lines


def _firmware(program: WrittenModel) -> list[str]:
    """Say how others' build systems take the folder, and what nobody has tried."""
    name, ends = program.model.name, program.api.infer
    text = _FIRMWARE.format(name=name, upper=name.upper(), tried=(_TRIED if ends else "") + _UNTRIED)
    return text.rstrip().split("\n")
