"""The page of a run: named by every command that makes one, outside of every digest, and no command needs it."""

import json
from pathlib import Path


def page_of(out: str) -> Path:
    """Return the page that a command named last."""
    last = out.splitlines()[-1]
    assert last.startswith("page: "), out
    return Path(last.removeprefix("page: "))


def test_a_page_that_is_there_is_only_named(toy):
    page = page_of(toy.call("second", "TIMES=3")[1])
    assert page.parent == toy.root / "volumes/report" and page.name.startswith("toy-") and page.suffix == ".html"
    page.write_text("what is there")
    code, out, _ = toy.call("second", "TIMES=3", TOY_REPORT_FAILS="It would have been made anew.")
    assert code == 0 and page_of(out) == page and page.read_text() == "what is there"
    others = [page_of(toy.call(stage)[1]) for stage in ("first", "second")]
    assert len({page, *others}) == 3, "another run has another page"


def test_it_is_of_artefacts_that_were_hashed_and_says_the_command(toy):
    page = page_of(toy.call("second", "TIMES=3", "CYCLES=0.25")[1])
    asked = json.loads(page.read_text())
    first, second = toy.path("first", "CYCLES=0.25"), toy.path("second", "TIMES=3", "CYCLES=0.25")
    assert asked["steps"] == [str(first), str(second)]
    assert asked["command"] == "make second CYCLES=0.25 TIMES=3"
    (first / "number.txt").write_text("changed")
    code, _, err = toy.call("report", "STAGE=second", "CYCLES=0.25", "TIMES=3")
    assert code == 2 and "number.txt was changed after it was published" in err


def test_no_digest_covers_it(toy):
    page = page_of(toy.call("second")[1])
    files = {path: path.read_bytes() for path in (toy.root / "volumes/second").rglob("*") if path.is_file()}
    toy.ran()
    for change in (page.unlink, lambda: page.write_text("another")):
        change()
        assert toy.call("verify")[0] == 0
        assert page_of(toy.call("second")[1]) == page and toy.ran() == []
    assert page_of(toy.call("report")[1]) == page and page.read_text() != "another", "make report makes it anew"
    assert all(path.read_bytes() == data for path, data in files.items())


def test_without_the_reports_environment_a_run_ends_well_and_says_what_mends_it(toy):
    """`make report`, which is asked for the page alone, does not."""
    lacks = "`uv venv` failed; `make doctor` says what is missing."
    code, out, _ = toy.call("second", TOY_REPORT_FAILS=lacks)
    assert code == 0 and out.splitlines()[-1] == f"page: none, as it could not be made: {lacks}"
    assert toy.call("report", TOY_REPORT_FAILS=lacks)[2] == f"microstage: {lacks}\n"
    assert toy.call("report", TOY_REPORT_FAILS=lacks)[0] == 2
    assert page_of(toy.call("second")[1]).is_file()


def test_it_is_opened_where_there_is_a_browser(toy):
    browser = toy.root / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > "$0.opened"\n')
    browser.chmod(0o755)
    page = page_of(toy.call("second")[1])
    code, _, err = toy.call("report", "OPEN=1", BROWSER=f"{browser} %s")
    assert code == 0 and (toy.root / "browser.opened").read_text().strip() == page.as_uri(), err
    assert "OPEN=yes is not allowed" in toy.call("report", "OPEN=yes")[2]
