"""A page in a browser, and all that it said and asked for while it was open."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

__all__ = ["Look"]


class Look:
    """`said` is what the page wrote to the console or threw; `asked` is every address that it fetched."""

    def __init__(self, page: Page) -> None:
        self.page, self.kind = page, ""
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: Path) -> None:
        """Open a page and wait until all of its charts are there."""
        self.page.bring_to_front()
        self.page.goto(path.as_uri())
        self.page.wait_for_function("[...document.querySelectorAll('.plot')].every(plot => plot.querySelector('svg'))")

    def unfold(self) -> None:
        """Open every table that is folded away."""
        self.page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")

    def widest(self) -> int:
        """Return how many pixels the page takes from left to right."""
        return self.page.evaluate("document.documentElement.scrollWidth")

    def placed(self) -> str:
        """Return where the first graph lies on its canvas, and how large."""
        return self.page.locator(".canvas svg > g").first.get_attribute("transform")
