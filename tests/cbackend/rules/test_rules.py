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
# Of each instruction set, width and order of bytes one: a Cortex-M7 and an M33 compile what an M4 does.
KINDS_OF_MACHINE = [machine.name for machine in MACHINES if machine.name not in ("cortex-m7", "cortex-m33", "aarch64")]
WARNINGS = {
    "gcc": ("-Wall", "-Wextra", "-Wconversion", "-Wcast-align=strict"),
    "clang": ("-Wall", "-Wextra", "-Wconversion", "-Wcast-align"),
}
PARSED = "-fsyntax-only"
ANALYSED = ("-fanalyzer", "-c", "-o", "/dev/null")
_MANDATORY = {"9.1", "12.5", "13.6", "17.3", "17.4", "17.6", "19.1", "21.13", "22.2", "22.4", "22.5", "22.6"}
# What a compiler says of itself; else the preprocessor is tried in every combination of what it asks for.
_ANY = ("__STDC_VERSION__=199901L", "__BYTE_ORDER__=1234", "__ORDER_LITTLE_ENDIAN__=1234")
_SMALL, _LARGE = "MS_SMALL_MACHINE=1", "MS_SMALL_MACHINE=0"
# {kernels of an instruction set: (which unit has them, what is defined for it)}
INSTRUCTIONS = {
    "Armv7E-M": ("_small", _SMALL, "__GNUC__=12", "__ARM_FEATURE_DSP=1"),
    "Helium": ("_small", _SMALL, "__GNUC__=12", "__ARM_FEATURE_MVE=3"),
    "RV32": ("_small", _SMALL, "__GNUC__=12", "__riscv=1", "__riscv_xlen=32"),
    "AVX2": ("", _LARGE, "__GNUC__=12", "__AVX2__=1"),
    "AVX-512": ("", _LARGE, "__GNUC__=12", "__AVX512VNNI__=1", "__AVX512BW__=1", "__AVX512VL__=1"),
    "Neon": ("", _LARGE, "__GNUC__=12", "__ARM_NEON=1", "__ARM_FEATURE_DOTPROD=1"),
    "RVV": ("", _LARGE, "__GNUC__=12", "__riscv=1", "__riscv_vector=1", "__riscv_v_intrinsic=11000"),
}


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
    assert said(folder, *command, PARSED, *sources(folder, "test", "host")) == ""
    assert said(folder, *command, PARSED, SMALL_MACHINE, *sources(folder, "test")) == ""


@pytest.mark.parametrize("name", KINDS_OF_MACHINE)
def test_every_file_compiles_without_a_warning_and_is_analysed_for_a_machine(folders, name):
    machine = next(machine for machine in MACHINES if machine.name == name)
    need(machine.compiler)
    folder = folders["kernels"]
    command = (machine.compiler, *machine.library, *machine.flags, "-std=gnu99", "-O2", *WARNINGS["gcc"], "-I.")
    for form in ("-DMS_SMALL_MACHINE=0", SMALL_MACHINE):
        assert said(folder, *command, PARSED, form, *sources(folder)) == ""
    for source in sources(folder):
        assert said(folder, *command, *ANALYSED, source) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_analyser_finds_nothing(folders, kind):
    folder, rooms = folders[kind], ("test", "host") if kind == "kernels" else ("test",)  # hosts have kernels alone
    for source in sources(folder, *rooms):
        assert said(folder, "gcc", "-std=c99", "-O2", "-I.", "-Itest", *ANALYSED, source) == ""


def test_a_warning_and_a_fault_are_told(tmp_path):
    (tmp_path / "narrow.c").write_text("int f(long n); int f(long n) { return n; }\n")
    (tmp_path / "twice.c").write_text("#include <stdlib.h>\nvoid f(void *p);\nvoid f(void *p) { free(p); free(p); }\n")
    assert "Wconversion" in said(tmp_path, "gcc", *WARNINGS["gcc"], PARSED, "narrow.c")
    assert "Wanalyzer" in said(tmp_path, "gcc", "-O2", *ANALYSED, "twice.c")


def broken(folder: Path, files: list[str], *defined: str) -> set[str]:
    """The rules of MISRA C:2012 that cppcheck's addon finds broken in one program."""
    options = ["--addon=misra", "--std=c99", "--platform=unix64", "-q", "-I.", "--template={id}"]
    told = said(folder, "cppcheck", *options, *(f"-D{name}" for name in (*_ANY, *defined)), *files)
    assert "syntaxError" not in told
    return set(re.findall(r"^misra-c2012-(\d+\.\d+)$", told, re.MULTILINE))


def broken_anywhere(folders: dict[str, Path]) -> set[str]:
    """The rules that C alone breaks, in both forms, or a kernel of an instruction set."""
    stepped, sound, kernels = (folders[kind] for kind in ("stepped", "sound", "kernels"))
    checked = [name for name in sources(stepped) if not name.endswith("_weights.c")]  # long, and alike everywhere
    found = broken(stepped, [*checked, "test/selftest.c"], _LARGE) | broken(stepped, ["tiny_small.c"], _SMALL)
    found |= broken(sound, [*sources(sound), "test/selftest.c"], _LARGE)
    for unit, *defined in INSTRUCTIONS.values():
        found |= broken(kernels, [f"every_kernel{unit}.c"], *defined)
    return found - {"8.7"}  # a unit alone does not say who else calls


def test_no_rule_of_misra_is_broken_but_those_that_the_page_gives_a_reason_for(folders):
    need("cppcheck")
    listed = set(re.findall(r"^\| (\d+\.\d+) \|", PAGE.read_text(), re.MULTILINE))
    found = broken_anywhere(folders)
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
    compile_selftest(folder, (*FLAGS, "-O0", flag, *more), compiler)
    program = str(folder / "test" / "selftest")
    done = subprocess.run([*emulator, program, "golden.bin"], cwd=folder / "test", capture_output=True, text=True)
    assert done.returncode == 0 and "differs" not in done.stdout, done.stdout + done.stderr
