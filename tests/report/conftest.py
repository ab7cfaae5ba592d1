"""Pages of three kinds of network, and a Chromium of this machine to look at them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from looking import Look
from playwright.sync_api import Browser, sync_playwright

from microstage_report.page.__main__ import main

FACTS = Path(__file__).parent / "facts"
KINDS = ("harmonic", "classifier", "file", "comparison")
_PATIENCE = 120_000  # milliseconds, for a page on a busy machine
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def facts() -> dict[str, Any]:
    return {kind: json.loads((FACTS / f"{kind}.json").read_text()) for kind in KINDS}


@pytest.fixture(scope="session")
def pages(tmp_path_factory) -> dict[str, Path]:
    """Every kind's page, as the command writes it."""
    folder = tmp_path_factory.mktemp("pages")
    for kind in KINDS:
        assert main([str(FACTS / f"{kind}.json"), str(folder / f"{kind}.html")]) == 0
    return {kind: folder / f"{kind}.html" for kind in KINDS}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("no Chromium on this machine: no page was looked at; `apt-get install chromium` brings one")
    with sync_playwright() as playwright:
        # As root there is no sandbox; the pages are our own.
        yield playwright.chromium.launch(executable_path=program, args=["--no-sandbox"], timeout=_PATIENCE)


def _look(browser: Browser) -> Iterator[Look]:
    with browser.new_context(viewport={"width": 1280, "height": 900}, has_touch=True) as context:
        context.set_default_timeout(_PATIENCE)
        yield Look(context.new_page())


look = pytest.fixture(_look, name="look")


@pytest.fixture(scope="session", params=KINDS)
def looked(request, browser, pages) -> Iterator[Look]:
    """Each kind's page, opened once; who changes how it is looked at changes that back."""
    for found in _look(browser):
        found.kind = request.param
        found.open(pages[request.param])
        found.unfold()
        yield found
