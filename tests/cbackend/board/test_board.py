"""The program for a board, in an emulator: it says how long each vector takes and whether the answer is right."""

import re

import pytest
from written import need, said, write_folder


def test_the_board_program_answers_what_the_reference_does_and_says_so_where_not(every_kernel_source, tmp_path):
    need("make", "arm-none-eabi-gcc", "qemu-system-arm")
    board = write_folder(every_kernel_source, tmp_path) / "examples" / "board"
    printed = said("timeout", "120", "make", "-s", "run", "CFLAGS=-O2 -Werror", cwd=board).splitlines()
    assert printed[-1] == "all equal" and printed[-5].startswith("vector 0: no cycle counter, SysTick ")
    ticks = [int(line.split("SysTick ")[1].split(",")[0]) for line in printed if line.startswith("vector")]
    assert len(ticks) == 4 and min(ticks) > 100_000 and max(ticks) - min(ticks) < 1000
    golden = board / "golden.h"
    text = golden.read_text()
    start = text.index("{", text.index("output_0") + len("output_0[VECTORS][12] = {"))
    golden.write_text(text[:start] + re.sub(r"-?\d+", lambda found: str(int(found[0]) ^ 1), text[start:], count=1))
    with pytest.raises(AssertionError, match="WRONG"):
        said("timeout", "120", "make", "-s", "run", cwd=board)
