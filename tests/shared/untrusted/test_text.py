"""Text and errors that come out of a user's files."""

import pytest

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated
from microstage.untrusted.printable import in_markdown, in_picture, printable


def test_text_of_a_users_files_acts_on_no_terminal_page_or_picture():
    hostile = "\x1b[2J\x9b\x7f\r\n\t\0 \u202e\u2066\u2028\ufeff\udc80"
    shown = printable(hostile)
    assert shown.isascii() and shown.isprintable() and printable(hostile, keep="\n").count("\n") == 1
    assert printable("Ω ± 输入 é e\u0301 🙂") == "Ω ± 输入 é e\u0301 🙂"
    page = in_markdown("<script> a`b | [c](d) -> e\n# f")
    assert not set("<`|\n") & set(page) and "](" not in page and in_markdown("y -> z[0]") == "y -> z[0]"
    assert in_picture("$x$") == r"\$x\$"


def test_want_of_memory_is_not_taken_for_a_damaged_file():
    for error in (MemoryError(), RuntimeError("std::bad_alloc")):
        with pytest.raises(MemoryError), translated(ModelError):
            raise error
    with pytest.raises(ModelError, match="^the file is of no use$"), translated(ModelError):
        raise ValueError("the file\nis of no use.")
