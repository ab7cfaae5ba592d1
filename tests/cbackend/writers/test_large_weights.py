"""Weights of large networks are bytes of the network file, which the assembler takes, and no text."""

import re

import pytest
from written import said, write_folder

from microstage_cbackend.writers import stored_constants


@pytest.fixture(scope="module")
def folder(every_kernel_source, tmp_path_factory):
    """A network whose few weights count as many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_constants, "_MOST_IN_C", 4096)
        patch.setattr(stored_constants, "_LARGE", 64)
        return write_folder(every_kernel_source, tmp_path_factory.mktemp("large") / "every kernel")


def test_the_c_holds_places_and_gives_the_same_integers(folder):
    text = (folder / "every_kernel_weights.c").read_text()
    assert len(re.findall("MS_BINARY", text)) == 17 and "int8_t" not in text
    assert "equal dense_12" in said("make", "-s", "check", "DISPATCH=1", "CFLAGS=-O0", cwd=folder)


def test_a_firmware_takes_the_file_too_and_other_compilers_have_text(folder, tmp_path):
    said("make", "-s", "arrays", cwd=folder)
    said("make", "-s", "library", f"TO={tmp_path}", cwd=folder)
    taken = tmp_path / "every_kernel"
    assert (taken / "every_kernel.msn").is_file()
    for words in ("", "-DMS_ARRAYS"):
        extra = ["-I", str(folder)] if words else []
        said(
            "gcc",
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Werror",
            *extra,
            *words.split(),
            "-c",
            "every_kernel_weights.c",
            cwd=taken,
        )
    said("make", "-s", "clean", cwd=folder)
    assert "equal dense_12" in said("make", "-s", "check", "CFLAGS=-O0 -DMS_ARRAYS", cwd=folder)


def test_few_weights_stay_text(harmonic_made):
    assert not list(harmonic_made.glob("ms_binary.h")) and not list(harmonic_made.glob("test/arrays.c"))
