"""Progress as a log shows it."""

import io

from microstage.process.progress import progress


def test_quick_work_is_one_plain_line_in_a_log():
    stream = io.StringIO()
    assert list(progress(range(40), 40, "epochs", stream)) == list(range(40))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1 and lines[-1].startswith("epochs: 40/40") and "\r" not in stream.getvalue()
