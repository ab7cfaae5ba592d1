"""The C is held to what docs/misra.md says: warnings, analysis, MISRA's rules, the same integers with any `char`."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from written import need

from microstage_bench.emulators import MACHINES
from microstage_cbackend.build import FLAGS, SMALL_MACHINE, compile_selftest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "misra.md"
KINDS = ("kernels", "stepped", "sound")
WARNINGS = {
    "gcc": ("-Wall", "-Wextra", "-Wconversion", "-Wcast-align=strict", "-fsyntax-only"),
    "clang": ("-Wall", "-Wextra", "-Wconversion", "-Wcast-align", "-fsyntax-only"),
}
_MANDATORY = {"9.1", "12.5", "13.6", "17.3", "17.4", "17.6", "19.1", "21.13", "22.2", "22.4", "22.5", "22.6"}
# One processor with C alone: without these the preprocessor is tried in every combination of what it asks for.
_PORTABLE = ("__STDC_VERSION__=199901L", "__BYTE_ORDER__=1234", "__ORDER_LITTLE_ENDIAN__=1234", "MS_SMALL_MACHINE=1")


def said(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def sources(folder: Path, *rooms: str) -> list[str]:
    return [str(path.relative_to(folder)) for room in ("", *rooms) for path in sorted((folder / room).glob("*.c"))]


@pytest.mark.parametrize("compiler", WARNINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_file_compiles_without_a_warning(folders, kind, compiler):
    need(compiler)
    folder, command = folders[kind], (compiler, "-std=c99", "-O2", *WARNINGS[compiler], "-I.", "-Itest")
    assert said(folder, *command, *sources(folder, "test", "host")) == ""
    assert said(folder, *command, SMALL_MACHINE, *sources(folder, "test")) == ""


@pytest.mark.parametrize("name", ["cortex-m0+", "cortex-m4", "cortex-m55", "riscv32"])
def test_every_file_compiles_without_a_warning_for_a_microcontroller(folders, name):
    machine = next(machine for machine in MACHINES if machine.name == name)
    need(machine.compiler)
    command = (machine.compiler, *machine.library, *machine.flags, "-std=gnu99", "-O2", *WARNINGS["gcc"], "-I.")
    for form in ((), ("-DMS_SMALL_MACHINE=0",)):
        assert said(folders["kernels"], *command, *form, *sources(folders["kernels"])) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_analyser_finds_nothing(folders, kind, tmp_path):
    folder, more = folders[kind], ("-std=c99", "-O2", "-fanalyzer", "-I.", "-Itest", "-c", "-o", "/dev/null")
    for source in sources(folder, "test"):
        assert said(folder, "gcc", *more, source) == ""


def test_a_warning_and_a_fault_are_told(tmp_path):
    (tmp_path / "narrow.c").write_text("int f(long n); int f(long n) { return n; }\n")
    (tmp_path / "twice.c").write_text("#include <stdlib.h>\nvoid f(void *p);\nvoid f(void *p) { free(p); free(p); }\n")
    assert "Wconversion" in said(tmp_path, "gcc", *WARNINGS["gcc"], "narrow.c")
    assert "Wanalyzer" in said(tmp_path, "gcc", "-O2", "-fanalyzer", "-c", "twice.c", "-o", "/dev/null")


def broken(folder: Path) -> set[str]:
    """The rules of MISRA C:2012 that cppcheck's addon finds broken."""
    defined = [f"-D{name}" for name in _PORTABLE]
    options = ["--addon=misra", "--std=c99", "--platform=unix64", "-q", "-I.", "--template={id}", *defined]
    tables = set() if (folder / "ear.c").exists() else {path.name for path in folder.glob("*_weights.c")}
    checked = [name for name in sources(folder) if name not in tables]  # they are alike in every folder, and long
    told = said(folder, "cppcheck", *options, *checked, "test/selftest.c")
    return set(re.findall(r"^misra-c2012-(\d+\.\d+)$", told, re.MULTILINE))


def test_no_rule_of_misra_is_broken_but_those_that_the_page_gives_a_reason_for(folders):
    need("cppcheck")
    listed = set(re.findall(r"^\| (\d+\.\d+) \|", PAGE.read_text(), re.MULTILINE))
    found = set().union(*(broken(folders[kind]) for kind in KINDS))
    assert (found - listed, listed - found) == (set(), set())
    assert not found & _MANDATORY


def char_flags():
    yield "gcc", "-funsigned-char", (), ()
    yield "gcc", "-fsigned-char", (), ()
    for machine in MACHINES:
        if machine.name in ("arm, 32 bits", "s390x, big-endian"):
            for flag in ("-fsigned-char", "-funsigned-char"):
                yield machine.compiler, flag, (*machine.flags, *machine.link), machine.emulator


@pytest.mark.parametrize(("compiler", "flag", "more", "emulator"), char_flags())
def test_integers_are_equal_whatever_a_char_is(folders, compiler, flag, more, emulator, tmp_path):
    need(compiler, *emulator[2:3])
    folder = shutil.copytree(folders["stepped"], tmp_path / "c")
    compile_selftest(folder, (*FLAGS, flag, *more), compiler)
    program = str(folder / "test" / "selftest")
    done = subprocess.run([*emulator, program, "golden.bin"], cwd=folder / "test", capture_output=True, text=True)
    assert done.returncode == 0 and "differs" not in done.stdout, done.stdout + done.stderr
