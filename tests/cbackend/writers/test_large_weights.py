"""Weights of large networks are bytes of the network file, which the assembler takes, and no text."""

import re
from pathlib import Path

import pytest
from written import said, write_folder

from microstage_cbackend.writers import stored_constants

_PRINT = """#include <stdio.h>
#include "every_kernel_weights.c"
static void print(const void *array, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        printf("%02x", ((const unsigned char *)array)[i]);
    }
    puts("");
}
int main(void) { CALLS return 0; }
"""


@pytest.fixture(scope="module")
def folder(every_kernel_source, tmp_path_factory):
    """A network whose few weights count as many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_constants, "_MOST_IN_C", 4096)
        patch.setattr(stored_constants, "_LARGE", 64)
        return write_folder(every_kernel_source, tmp_path_factory.mktemp("large") / "every kernel")


def spans(folder: Path) -> list[tuple[str, int, int]]:
    """(name, first byte, bytes) of each line that takes a constant from the file."""
    text = (folder / "every_kernel_weights.c").read_text()
    assert "int8_t" not in text
    return [
        (n, int(a), int(b)) for n, a, b in re.findall(r'MS_BINARY\((\w+), "every_kernel.msn", (\d+), (\d+)\)', text)
    ]


def test_a_folder_with_a_file_gives_the_same_integers(folder):
    assert len(spans(folder)) == 17
    assert "equal dense_12" in said("make", "-s", "check", "CFLAGS=-O0", cwd=folder)


@pytest.mark.parametrize("macro", ["MS_PORTABLE", "MS_TARGET_AVX512VNNI"])
def test_each_layout_is_taken_from_its_place_and_written_as_text_for_others(folder, tmp_path, macro):
    lines = spans(folder)[:: 1 if macro == "MS_PORTABLE" else -1]  # of two lines, rows are the second
    found = {name: (at, size) for name, at, size in lines}
    calls = " ".join(f"print({name}, {size});" for name, (_, size) in found.items())
    (tmp_path / "print.c").write_text(_PRINT.replace("CALLS", calls))
    said("make", "-s", "library", f"TO={tmp_path}", cwd=folder)  # what a firmware takes
    said("make", "-s", "arrays", cwd=folder)
    (tmp_path / "every_kernel" / "host").symlink_to(folder / "host")
    whole = (folder / "every_kernel.msn").read_bytes()
    for more in ([], ["-DMS_ARRAYS", f"-I{folder}"]):
        flags = ["-std=c99", "-O0", "-I.", f"-D{macro}", *more, "-o", str(tmp_path / "print")]
        said("gcc", *flags, str(tmp_path / "print.c"), cwd=tmp_path / "every_kernel")
        assert said(str(tmp_path / "print"), cwd=tmp_path).split() == [
            whole[at : at + size].hex() for at, size in found.values()
        ]


def test_few_weights_stay_text(harmonic_made):
    assert not list(harmonic_made.glob("ms_binary.h")) and not list(harmonic_made.glob("test/arrays.c"))
