"""The command that writes a page, and the file of another's that every page carries."""

import hashlib
import re
from pathlib import Path

import microstage_report.page
from microstage_report.page.__main__ import main

_DAGRE = Path(microstage_report.page.__file__).parent / "dagre"


def test_what_are_no_facts_is_refused_in_a_sentence(tmp_path, capsys):
    page = tmp_path / "page.html"
    for text, said in (("{", "holds no facts in JSON"), ('{"title": "x"}', "facts lack verdict, provenance")):
        (tmp_path / "facts.json").write_text(text)
        assert main([str(tmp_path / "facts.json"), str(page)]) == 2
        assert said in capsys.readouterr().err
    assert not page.exists()


def test_the_layout_program_is_the_one_whose_digest_stands_beside_it(pages):
    named = re.search(r"sha256 ([0-9a-f]{64})", (_DAGRE / "README.md").read_text())[1]
    assert hashlib.sha256((_DAGRE / "dagre.min.js").read_bytes()).hexdigest() == named
    assert (_DAGRE / "LICENSE").read_text() in pages["file"].read_text()
