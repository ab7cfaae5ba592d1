"""The pages as a site: nothing is missing, no link is dead, and nothing is fetched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import REPOSITORY


def built(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a checkout, as `make docs` does."""
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(
        words, cwd=root, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = built(REPOSITORY, folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_of_docs_is_there(site):
    sources = [path for kind in ("md", "ipynb") for path in (REPOSITORY / "docs").rglob(f"*.{kind}")]
    names = [path.relative_to(REPOSITORY).with_suffix(".html") for path in sources]
    places = [name.with_name("index.html") if name.stem == "README" else name for name in names]
    assert len(places) > 60 and [place for place in places if not (site / place).is_file()] == []
    assert "predict" in (site / "docs/tutorials/notebook.html").read_text()


def test_nothing_is_fetched_from_elsewhere(site):
    loading = r"<(?:script|img|iframe|link)[^>]*>"
    tags = {tag for page in site.rglob("*.html") for tag in re.findall(loading, page.read_text())}
    assert len(tags) > 10 and [tag for tag in tags if re.search(r"(?:src|href)=\"?https?:", tag)] == []
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert not re.search(r"url\(\"?https?:", styles)


def test_text_is_read_as_where_the_repository_is_shown(site):
    """A list that needs a blank line, or a table that is none, shows as its own text."""
    lost = [
        page.name for page in site.rglob("*.html") if re.search(r"<p>\||^(- |\d\. |\|.*\|$)", page.read_text(), re.M)
    ]
    assert lost == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("[b](docs/b.md)", 'not included in the "nav" configuration'),
        ("[c](docs/c.md)", "the target is not found"),
        ("[d](#d)", "there is no such anchor"),
    ],
)
def test_what_leads_nowhere_or_has_no_place_ends_it(tmp_path, page, said):
    shutil.copytree(REPOSITORY / "docs" / "site", tmp_path / "docs" / "site")
    settings = (REPOSITORY / "mkdocs.yml").read_text().split("\nnav:\n")[0]
    (tmp_path / "mkdocs.yml").write_text(f"{settings}\nnav:\n- README.md\n- Working on it: [Decisions: []]\n")
    (tmp_path / "README.md").write_text(f"# A\n\n{page}\n")
    (tmp_path / "docs" / "b.md").write_text("# B\n")
    done = built(tmp_path, tmp_path / "site")
    assert done.returncode != 0 and said in done.stderr
