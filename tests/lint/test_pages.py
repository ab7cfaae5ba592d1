"""What the pages of this repository point at is there."""

import re

from files import REPOSITORY, tracked

# Examples of a reader's own files, and what is only there once something was made.
_THEIRS = ("path/to/", "volumes/", "examples/", "host/", "test/")


def test_links_lead_to_files():
    dead = []
    for page in tracked("*.md"):
        text = (REPOSITORY / page).read_text()
        links = re.findall(r"\]\(([^)#\s]+)", text)
        dead += [f"{page}: {link}" for link in links if "://" not in link and not _exists(page, link)]
    assert dead == []


def test_files_that_pages_name_exist():
    known = tracked("*")
    folders = {str(parent) for name in known for parent in (REPOSITORY / name).relative_to(REPOSITORY).parents}
    places = {*known, *folders}
    lost = []
    for page in tracked("*.md"):
        named = re.findall(r"`([\w.-]+/[\w./-]*|[\w-]+\.py)`", (REPOSITORY / page).read_text())
        for name in (name.rstrip("/") for name in named if not name.startswith(_THEIRS)):
            ours = name.split("/")[0] in {"shared", "stages", "tests", "docs"} or name.endswith(".py")
            if ours and not any(place == name or place.endswith(f"/{name}") for place in places):
                lost.append(f"{page}: {name}")
    assert lost == []


def _exists(page: str, link: str) -> bool:
    return (REPOSITORY / page).parent.joinpath(link).exists()
