"""The written folder as a library of a firmware: what packers take of it, an Arduino sketch, a program for a board."""

import json
import re
from pathlib import Path

import pytest
from written import CORTEX_M4, need, said, write_folder

from microstage_bench.emulators import BOARDS
from microstage_cbackend.build import FLAGS

LARGE = re.compile(r"avx|neon|immintrin|cpuid", re.IGNORECASE)


@pytest.fixture(scope="module")
def folder(every_kernel_source, tmp_path_factory):
    """The C of a network that calls every vectorised kernel."""
    return write_folder(every_kernel_source, tmp_path_factory.mktemp("ecg"), name="ecg")


@pytest.fixture(scope="module")
def library(folder, tmp_path_factory):
    """What `make library` takes of it."""
    need("make", "tar")
    to = tmp_path_factory.mktemp("libraries")
    said("make", "library", f"TO={to}", cwd=folder)
    return to / "ecg"


def test_the_folder_that_a_library_goes_to_is_taken_as_it_was_typed(folder, tmp_path):
    """Neither the written Makefile nor the shell expands it."""
    to = tmp_path / 'a$b $(shell touch "$(O)") `touch c` "d"'
    said("make", "library", f"TO={to}", f"O={tmp_path / 'ran'}", cwd=folder)
    assert [path.name for path in tmp_path.iterdir()] == [to.name] and (to / "ecg" / "ecg.h").exists()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_a_firmware_takes_is_the_library_alone_and_every_packer_takes_it(library):
    taken = files(library)
    assert not [
        name
        for name in taken
        if LARGE.search(name) or name.startswith(("host/", "test/")) or name.endswith((".npz", ".bin"))
    ]
    json_, component = json.loads((library / "library.json").read_text()), (library / "idf_component.yml").read_text()
    included = re.findall(r'^    - "(.*)"$', component.partition("  include:\n")[2], re.MULTILINE)
    assert set(json_["export"]["include"]) == taken == {"idf_component.yml", *included}
    sources = {name for name in taken if name.endswith(".c")}
    assert json_["build"]["srcFilter"] == ["-<*>", *(f"+<{name}>" for name in sorted(sources))]
    registered = re.search(r"SRCS ([^)]*) INCLUDE_DIRS", (library / "CMakeLists.txt").read_text())[1]
    assert sources == {*registered.split()} == {name for name in files(library) if Path(name).suffix == ".c"}


def test_zephyr_finds_the_module_its_symbol_and_its_sources(library):
    assert (
        library / "zephyr" / "module.yml"
    ).read_text() == 'name: "ecg"\nbuild:\n  cmake: zephyr\n  kconfig: zephyr/Kconfig\n'
    assert (library / "zephyr" / "Kconfig").read_text().startswith("config ECG_NETWORK\n\tbool ")
    listed = re.search(r"zephyr_library_sources\(([^)]*)\)", (library / "zephyr" / "CMakeLists.txt").read_text())[1]
    assert all((library / "zephyr" / name).is_file() for name in listed.split())


_SDKS = """cmake_minimum_required(VERSION 3.13)
project(firmware C)
macro(idf_component_register)
    cmake_parse_arguments(of "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
    add_library(component STATIC ${of_SRCS})
    target_include_directories(component PUBLIC ${of_INCLUDE_DIRS})
endmacro()
macro(zephyr_library_named name)
    set(ZEPHYR_CURRENT_LIBRARY ${name})
    add_library(${name} STATIC)
endmacro()
macro(zephyr_library_sources)
    target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endmacro()
macro(zephyr_include_directories)
    foreach(folder ${ARGN})
        get_filename_component(whole ${folder} ABSOLUTE)
        target_include_directories(${ZEPHYR_CURRENT_LIBRARY} PUBLIC ${whole})
    endforeach()
endmacro()
set(ESP_PLATFORM 1)
add_subdirectory(${library} esp)
set(CONFIG_ECG_NETWORK y)
add_subdirectory(${library}/zephyr zephyr)
foreach(sdk component ecg_network)
    add_executable(with_${sdk} main.c)
    target_link_libraries(with_${sdk} ${sdk})
endforeach()
"""


def test_esp_idf_and_zephyr_find_all_sources_by_what_they_call(library, tmp_path):
    """With their commands as their documentation has them: neither SDK is here."""
    need("cmake")
    (tmp_path / "CMakeLists.txt").write_text(_SDKS)
    (tmp_path / "main.c").write_text(
        '#include "ecg.h"\nint main(void) { return ecg_infer(0, 0, 0) == ECG_NULL ? 0 : 1; }\n'
    )
    said("cmake", "-S", ".", "-B", "build", f"-Dlibrary={library}", cwd=tmp_path)
    said("cmake", "--build", "build", cwd=tmp_path)
    for program in ("with_component", "with_ecg_network"):
        said(tmp_path / "build" / program, cwd=tmp_path)


@pytest.mark.parametrize("flags", [(), ("-march=native",)])
def test_it_compiles_on_a_large_processor_too_without_the_vector_kernels(library, tmp_path, flags):
    said("gcc", *FLAGS, *flags, "-c", *library.glob("*.c"), cwd=tmp_path)
    assert "ecg_infer" in said("nm", "ecg.o", cwd=tmp_path)


_ARDUINO = """#include <stdio.h>
#include <stdlib.h>
struct Port {
    void begin(long) {}
    void print(long value) { printf("%ld\\n", value); exit(0); }
    void print(const char *) {}
    void println(unsigned long) {}
};
static Port Serial;
static void delay(int) { exit(1); }
static unsigned long micros() { return 0; }
"""


def test_the_arduino_library_builds_as_c_beside_a_sketch_in_cplusplus_and_runs(library, tmp_path):
    if CORTEX_M4.missing:
        pytest.skip(CORTEX_M4.missing)
    need("arm-none-eabi-g++")
    said_of_it = dict(line.split("=", 1) for line in (library / "library.properties").read_text().splitlines())
    assert {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"} <= {
        *said_of_it
    }
    assert said_of_it["name"] == library.name and said_of_it["includes"] == "ecg.h" and all(said_of_it.values())
    (tmp_path / "Arduino.h").write_text(_ARDUINO)
    sketch = (library / "examples" / "infer" / "infer.ino").read_text()
    (tmp_path / "infer.cpp").write_text(
        f'#include "Arduino.h"\n{sketch}\nint main() {{\n    setup();\n    for (;;) loop();\n}}\n'
    )
    for source in [*library.glob("*.c"), BOARDS / "cortex_m.c"]:
        said(
            CORTEX_M4.compiler,
            "-Os",
            "-Wall",
            *CORTEX_M4.flags,
            "-c",
            source,
            "-o",
            tmp_path / f"{source.stem}.o",
            cwd=tmp_path,
        )
    said(
        "arm-none-eabi-g++", "-Os", "-fno-exceptions", *CORTEX_M4.flags, f"-I{library}", "-c", "infer.cpp", cwd=tmp_path
    )
    link = [word for word in CORTEX_M4.link if not word.endswith(".c")]
    said(CORTEX_M4.compiler, *CORTEX_M4.flags, "-o", "sketch", *tmp_path.glob("*.o"), *link, cwd=tmp_path)
    answer = said(*CORTEX_M4.emulator, tmp_path / "sketch", cwd=tmp_path)
    (tmp_path / "here.c").write_text(
        '#include <stdio.h>\n#include "ecg.h"\nstatic ecg_arena arena;\nint main(void)\n{\n'
        "    static int8_t x[363], y[12];\n    const ecg_ctx ctx = {&arena};\n"
        '    if (ecg_infer(&ctx, x, y)) return 1;\n    printf("%d\\n", y[0]);\n    return 0;\n}\n'
    )
    said("gcc", *FLAGS, f"-I{library}", "-o", "here", "here.c", *library.glob("*.c"), cwd=tmp_path)
    assert answer == said(tmp_path / "here", cwd=tmp_path)
