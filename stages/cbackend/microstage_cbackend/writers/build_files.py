"""Write the build files of the folder, for make and for CMake: the library and its benchmark.

The self test is built too where the folder is the whole project.
"""

from __future__ import annotations

from microstage_cbackend.build import FLAGS

__all__ = ["cmake", "makefile"]

_MAKEFILE = """\
# make check: compile with all warnings as errors and replay every golden vector; make bench: time an inference;
# make library TO=folder: folder/{name}, what a firmware needs and nothing else
CC ?= cc
CFLAGS ?= {flags}
OBJECTS = {objects}
{choice}
lib{name}.a: $(OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

check: test/selftest
	test/selftest test/golden.bin

bench: test/bench
	test/bench

test/selftest test/bench: %: %.o lib{name}.a
	$(CC) $(CFLAGS) -o $@ $^

%.o: %.c $(wildcard *.h *.msn)
	$(CC) -std=c99 $(CFLAGS) -I. -c -o $@ $<

LIBRARY = {library}
# TO as it was typed: neither make nor the shell expands it
to = '$(subst ','\'',$(value TO))'
unexport TO

library:
	@test -n $(to) || {{ echo "make library TO=folder: where to?"; exit 2; }}
	mkdir -p $(to)/{name}
	tar cf - $(LIBRARY) | tar xf - -C $(to)/{name}
{arrays}
clean:
	rm -f test/selftest test/bench *.a *.o */*.o

.PHONY: check bench library clean
"""

_MAKE_CHOICE = """\
# make DISPATCH=1: instructions are chosen at run time (x86-64, gcc or clang)
ifdef DISPATCH
OBJECTS := $(filter-out {name}.o {name}_weights.o,$(OBJECTS)) {objects}
endif
"""

_MAKE_ARRAYS = """
# the weights lie in {name}.msn. For a compiler without .incbin this writes them as C, which -DMS_ARRAYS takes
arrays: test/arrays
	test/arrays {name}.msn > {name}_arrays.h

test/arrays: test/arrays.c
	$(CC) $(CFLAGS) -o $@ $<

.PHONY: arrays
"""

_CMAKE = """\
# Target {name}, also {name}::{name}: a project of its own, a part of another (add_subdirectory), an ESP-IDF component,
# or, installed, find_package({name}).
if(ESP_PLATFORM)
    idf_component_register(SRCS {sources} INCLUDE_DIRS .)
    return()
endif()

cmake_minimum_required(VERSION 3.10)
project({name} VERSION 1.0.0 LANGUAGES C)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set({upper}_WHOLE OFF)
if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    set({upper}_WHOLE ON)
    if(NOT CMAKE_BUILD_TYPE)
        set(CMAKE_BUILD_TYPE Release)
    endif()
endif()
option({upper}_TESTS "targets {name}_selftest and {name}_bench" ${{{upper}_WHOLE}})
option({upper}_INSTALL "install the library, and what find_package({name}) finds" ${{{upper}_WHOLE}})
{choice}
add_library({name} STATIC {model} {others})
add_library({name}::{name} ALIAS {name})
set_target_properties({name} PROPERTIES C_STANDARD 99 C_EXTENSIONS ON)
{data}target_include_directories({name} PUBLIC
    $<BUILD_INTERFACE:${{CMAKE_CURRENT_SOURCE_DIR}}> $<INSTALL_INTERFACE:${{CMAKE_INSTALL_INCLUDEDIR}}>)

if({upper}_INSTALL)
    set({upper}_CMAKE ${{CMAKE_INSTALL_LIBDIR}}/cmake/{name})
    write_basic_package_version_file({name}-config-version.cmake COMPATIBILITY SameMajorVersion)
    install(TARGETS {name} EXPORT {name}-config ARCHIVE DESTINATION ${{CMAKE_INSTALL_LIBDIR}})
    install(FILES {headers} DESTINATION ${{CMAKE_INSTALL_INCLUDEDIR}})
    install(EXPORT {name}-config NAMESPACE {name}:: DESTINATION ${{{upper}_CMAKE}})
    install(FILES ${{CMAKE_CURRENT_BINARY_DIR}}/{name}-config-version.cmake DESTINATION ${{{upper}_CMAKE}})
endif()

if({upper}_TESTS)
    enable_testing()
    add_executable({name}_selftest test/selftest.c)
    target_link_libraries({name}_selftest {name})
    add_test(NAME {name}_selftest COMMAND {name}_selftest WORKING_DIRECTORY ${{CMAKE_CURRENT_SOURCE_DIR}}/test)
    add_executable({name}_bench test/bench.c)
    target_link_libraries({name}_bench {name})
endif()
"""

_CMAKE_CHOICE = """\
option({upper}_DISPATCH "choose instructions at run time: x86-64, gcc or clang" OFF)
if({upper}_DISPATCH)
    set({upper}_MODEL {chosen})
else()
    set({upper}_MODEL {own})
endif()
"""

_CMAKE_DATA = """\
get_target_property({upper}_SOURCES {name} SOURCES)
set_source_files_properties(${{{upper}_SOURCES}} PROPERTIES OBJECT_DEPENDS ${{CMAKE_CURRENT_SOURCE_DIR}}/{file})
"""


def makefile(name: str, sources: list[str], chosen: list[str], library: list[str], data: list[str]) -> str:
    """Return the Makefile of the written folder.

    `chosen` sources take the place of the model's own with DISPATCH=1; `library` is what a firmware takes; in the files
    of `data` lie constants that are no C.
    """
    choice = _MAKE_CHOICE.format(name=name, objects=_objects(chosen)) if chosen else ""
    return _MAKEFILE.format(
        name=name, flags=" ".join(FLAGS[1:]), objects=_objects(sources), choice=choice, library=" ".join(library),
        arrays=_MAKE_ARRAYS.format(name=name) if data else "",
    )  # fmt: skip


def cmake(name: str, sources: list[str], chosen: list[str], headers: list[str], data: list[str]) -> str:
    """Return CMakeLists.txt; `chosen` and `data` as in `makefile`, `headers` are those that a user includes."""
    upper, own = name.upper(), [f"{name}.c", f"{name}_weights.c"]
    choice = _CMAKE_CHOICE.format(upper=upper, chosen=" ".join(chosen), own=" ".join(own)) if chosen else ""
    return _CMAKE.format(
        name=name, upper=upper, choice=choice, model=f"${{{upper}_MODEL}}" if chosen else " ".join(own),
        sources=" ".join(sources), headers=" ".join(headers), others=" ".join(s for s in sources if s not in own),
        data="".join(_CMAKE_DATA.format(upper=upper, name=name, file=file) for file in data),
    )  # fmt: skip


def _objects(sources: list[str]) -> str:
    return " ".join(source.removesuffix(".c") + ".o" for source in sources)
