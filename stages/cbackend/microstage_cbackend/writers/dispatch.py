"""Write the choice of instructions at run time: the model once per instruction set, and functions that call one.

host/<model>_<set>.c takes the place of <model>.c and <model>_weights.c, once per set; it includes both under names of
its own. host/<model>_dispatch.c defines the model's functions and asks the processor once, before main.
"""

from __future__ import annotations

import re

from microstage_cbackend.kernels.layouts import fast_files
from microstage_cbackend.writers.emit import WrittenModel

__all__ = ["FOLDER", "SETS", "dispatch"]

FOLDER = "host"
"For processors with an operating system: vector kernels, and the choice among them."
SETS = ("plain", "avx2", "avxvnni", "avx512vnni")
"The first needs nothing of the processor; those behind it have a MS_TARGET_ macro and a ms_cpu_kind of that name."

_VARIANT = """/* {model} for {what}: <model>.c and its constants once more, under names that end in _{name}. */
#define {macro}
#define MS_SUFFIX _{name}
#include "{model}_variant.h"
"""

_INCLUDED = """/* Included once by each {model}_<set>.c, which says MS_SUFFIX and the instruction set. */
#include "../ms_isa.h"
#if MS_SMALL_MACHINE
#error "host/ is for machines that are not small"
#endif
#define MS_JOIN_(name, suffix) name##suffix
#define MS_JOIN(name, suffix) MS_JOIN_(name, suffix)
{names}

{headers}

/* The functions of {model}.c may use what the kernels inside them do. */
#if defined MS_FEATURES && defined __clang__
#define MS_PRAGMA_(text) _Pragma(#text)
#define MS_PRAGMA(text) MS_PRAGMA_(text)
MS_PRAGMA(clang attribute push(__attribute__((target(MS_FEATURES))), apply_to = function))
#elif defined MS_FEATURES
#define MS_PRAGMA_(text) _Pragma(#text)
#define MS_PRAGMA(text) MS_PRAGMA_(text)
MS_PRAGMA(GCC target(MS_FEATURES))
#endif
#include "../{model}_weights.c"
#include "../{model}.c"
#if defined MS_FEATURES && defined __clang__
#pragma clang attribute pop
#endif
"""

_DISPATCH = """/* {model}: each function of {model}.h calls the fastest version that this processor has. x86-64, gcc \
or clang. */
#include "../{model}.h"
#include "ms_dispatch.h"

/* Asked once, before main: MS_FORCED given, it is that set, which the processor must have. */
static ms_cpu_kind chosen;

__attribute__((constructor)) static void choose(void)
{{
#if defined MS_FORCED
    chosen = MS_FORCED;
#else
    chosen = ms_cpu();
#endif
}}

#define DECLARE(type, function, parameters) {declare}
#define CALL(function, arguments) \\
    switch (chosen) {{ \\
{cases}    default: return function##_plain arguments; \\
    }}

{functions}
"""


def dispatch(program: WrittenModel) -> dict[str, str]:
    """Return path -> text; nothing where no kernel has more than one version."""
    kernels = program.machines[0].headers
    if not kernels:
        return {}
    model, functions = program.model.name, _functions(program)
    names = [*(f["name"] for f in functions), *program.machines[0].constants]
    files = {"ms_dispatch.h": fast_files("host/ms_dispatch.h")["host/ms_dispatch.h"]}
    for name in SETS:
        what, macro = (
            (name.upper(), f"MS_TARGET_{name.upper()}") if name != SETS[0] else ("any processor", "MS_PORTABLE")
        )
        files[f"{model}_{name}.c"] = _VARIANT.format(model=model, what=what, macro=macro, name=name)
    defines = "\n".join(f"#define {name} MS_JOIN({name}, MS_SUFFIX)" for name in names)
    headers = "\n".join(
        f'#include "../{header}"' for header in (f"{model}.h", f"{model}_weights.h", f"{model}_kernels.h", *kernels)
    )
    files[f"{model}_variant.h"] = _INCLUDED.format(model=model, names=defines, headers=headers)
    cases = "".join(f"    case MS_CPU_{name.upper()}: return function##_{name} arguments; \\\n" for name in SETS[:0:-1])
    declare = " ".join(f"type function##_{name} parameters;" for name in SETS)
    bodies = "\n\n".join(_body(**function) for function in functions)
    files[f"{model}_dispatch.c"] = _DISPATCH.format(model=model, declare=declare, cases=cases, functions=bodies)
    return {f"{FOLDER}/{name}": text for name, text in files.items()}


def _functions(program: WrittenModel) -> list[dict[str, str]]:
    """Return type, name and parameters of every function that <model>.c defines."""
    text = "\n".join([*(writer.signature() for writer in program.writers), *program.api.declarations()])
    text = re.sub(r"/\*.*?\*/|typedef struct .*?;\s*}.*?;", "", text, flags=re.DOTALL)
    found = {}
    for match in re.finditer(r"(\w+) (\w+)\(([^)]*)\)", text):
        found[match[2]] = {"type": match[1], "name": match[2], "parameters": " ".join(match[3].split())}
    return list(found.values())


def _body(type: str, name: str, parameters: str) -> str:
    given = ", ".join(re.findall(r"(\w+)(?:\[\d+\])?(?=,|$)", parameters))
    if type == "void":  # one is as good as another
        return f"void {name}_plain({parameters});\nvoid {name}({parameters})\n{{\n    {name}_plain({given});\n}}"
    return f"DECLARE({type}, {name}, ({parameters}))\n{type} {name}({parameters})\n{{\n    CALL({name}, ({given}))\n}}"
