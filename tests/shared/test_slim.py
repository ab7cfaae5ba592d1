"""What is taken out of an environment: by its record, said beside it, and never out of the installer's cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from microstage import slim

FILES = {
    "toy/__init__.py": "1",
    "toy/tests/test_it.py": "22",
    "toy/testing.py": "from toy._core.tests.kinds import KIND\nfrom .parts.tests import part",
    "toy/_core/tests/kinds.py": "KIND = 1",
    "toy/_core/tests/data.bin": "55555",
    "toy/parts/tests/__init__.py": "part = 1",
    "toy/lib/libtoy.a": "4444",
}
NEEDED = ["toy/__init__.py", "toy/testing.py", "toy/_core/tests/kinds.py", "toy/parts/tests/__init__.py"]


def test_what_no_stage_loads_goes_and_the_record_and_the_note_say_so(tmp_path):
    packages, cache = tmp_path / "env/lib/python3.10/site-packages", tmp_path / "cache"
    record = "".join(f"{name},sha256=x,{len(text)}\n" for name, text in FILES.items())
    for name, text in {**FILES, "toy-1.dist-info/RECORD": f"{record}../../../bin/tests/toy,,\n"}.items():
        for folder in (cache, packages):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text(text)
        os.link(cache / name, packages / name)

    def run() -> dict[Path, bytes]:
        subprocess.run([sys.executable, "-I", slim.__file__, tmp_path / "env"], check=True)
        return {path.relative_to(packages): path.read_bytes() for path in packages.rglob("*") if path.is_file()}

    left = run()
    information = Path("toy-1.dist-info")
    assert set(left) == {*map(Path, NEEDED)} | {information / "RECORD", information / slim.NOTE}
    assert not (packages / "toy/tests").exists()
    said = {"tests": {"files": 2, "bytes": 7}, "static libraries": {"files": 1, "bytes": 4}}
    assert json.loads(left[information / slim.NOTE]) == said
    named = [line.split(",")[0] for line in left[information / "RECORD"].decode().splitlines()]
    assert named == [*NEEDED, "../../../bin/tests/toy", "toy-1.dist-info/slim.json"]
    assert (cache / "toy-1.dist-info/RECORD").read_text().startswith(record), "the installer's cache keeps its own"
    assert run() == left
