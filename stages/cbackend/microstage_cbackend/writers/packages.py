"""Make the written folder a library for Arduino, PlatformIO, ESP-IDF and Zephyr, in its place and without a copy.

Their packers take what a firmware needs (`contents`): neither vector kernels of large processors nor golden vectors.
"""

from __future__ import annotations

import json

from microstage_cbackend.writers.emit import WrittenModel
from microstage_cbackend.writers.infer_api import InferApi

__all__ = ["contents", "packages"]

_VERSION = "1.0.0"
_SAYS = "A quantised neural network in integers"
_MORE = "C99 without dependencies, allocation or written globals, and equal to its reference to the bit."
_SKETCH = "examples/infer/infer.ino"
_FILES = ("CMakeLists.txt", "README.md", "idf_component.yml", "library.json", "library.properties")
_ZEPHYR = ("zephyr/CMakeLists.txt", "zephyr/Kconfig", "zephyr/module.yml")


def contents(program: WrittenModel, library: list[str]) -> list[str]:
    """Return the files that a firmware takes, of `library` and those written here."""
    sketch = [_SKETCH] if program.api.infer else []
    return sorted([*(file for file in library if not file.startswith("host/")), *_FILES, *_ZEPHYR, *sketch])


def packages(program: WrittenModel, taken: list[str]) -> dict[str, str]:
    """Return file -> text; `taken`: the files that a firmware takes, `contents`."""
    name = program.model.name
    sources = [file for file in taken if file.endswith(".c")]
    return {
        "library.properties": _arduino(name),
        "library.json": _platformio(name, sources, taken),
        "idf_component.yml": _component(taken),
        "zephyr/module.yml": f'name: "{name}"\nbuild:\n  cmake: zephyr\n  kconfig: zephyr/Kconfig\n',
        "zephyr/Kconfig": f'config {name.upper()}_NETWORK\n\tbool "{name}: a quantised neural network"\n',
        "zephyr/CMakeLists.txt": _zephyr(name, sources),
        **({_SKETCH: _sketch(program.api.infer)} if program.api.infer else {}),
    }


def _arduino(name: str) -> str:
    said = {
        "name": name, "version": _VERSION, "author": "microstage", "maintainer": "microstage", "sentence": f"{_SAYS}.",
        "paragraph": _MORE, "category": "Data Processing", "url": "about:blank", "architectures": "*",
        "includes": f"{name}.h",
    }  # fmt: skip
    return "".join(f"{key}={value}\n" for key, value in said.items())


def _platformio(name: str, sources: list[str], taken: list[str]) -> str:
    said = {
        "name": name,
        "version": _VERSION,
        "description": f"{_SAYS}: {_MORE}",
        "keywords": "neural network, inference, quantization",
        "headers": f"{name}.h",
        "frameworks": "*",
        "platforms": "*",
        "build": {"srcDir": ".", "includeDir": ".", "srcFilter": ["-<*>", *(f"+<{source}>" for source in sources)]},
        "export": {"include": taken},
    }
    return json.dumps(said, indent=2) + "\n"


def _component(taken: list[str]) -> str:
    chosen = "".join(f'    - "{file}"\n' for file in taken if file != "idf_component.yml")
    return f'version: "{_VERSION}"\ndescription: "{_SAYS}"\nfiles:\n  exclude:\n    - "**/*"\n  include:\n{chosen}'


def _zephyr(name: str, sources: list[str]) -> str:
    files = " ".join(f"../{source}" for source in sources)
    return (
        f"if(CONFIG_{name.upper()}_NETWORK)\n    zephyr_library_named({name}_network)\n    "
        f"zephyr_library_sources({files})\n"
        "    zephyr_include_directories(..)\nendif()\n"
    )


def _sketch(infer: InferApi) -> str:
    """Return an Arduino sketch that times inferences."""
    name = infer.network
    arrays = {f"in{i}": t for i, t in enumerate(infer.inputs)}
    arrays |= {f"out{i}": t for i, (_, t) in enumerate(infer.outputs)}
    lines = [
        f"#include <{name}.h>",
        "",
        f"static {name}_arena arena;",
        f"static const {name}_ctx ctx = {{&arena}};",
        *(f"static {t.ctype} {own}[{t.size}];" for own, t in arrays.items()),
        "",
    ]
    lines += ["void setup() { Serial.begin(115200); }", "", "void loop() {", "  const unsigned long began = micros();"]
    lines += [f"  if ({name}_infer(&ctx, {', '.join(arrays)}) == {name.upper()}_OK) {{"]
    lines += ["    const unsigned long taken = micros() - began;", "    Serial.print((long)out0[0]);"]
    lines += ['    Serial.print(" in us: ");', "    Serial.println(taken);", "  }", "  delay(1000);", "}", ""]
    return "\n".join(lines)
