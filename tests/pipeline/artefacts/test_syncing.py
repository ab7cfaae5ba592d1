"""What was said to be done outlives a loss of power, and a volume that turns read-only leaves no trace behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from microstage_runner.artefacts.digests import Digests
from microstage_runner.artefacts.places import Place

DEEP = "(job.output / 'deep' / 'er').mkdir(parents=True); (job.output / 'deep' / 'er' / 'x').write_text('x')"
RECORD = """
import os
fsync = os.fsync
def recorded(handle):
    fsync(handle)
    with open({log!r}, "a") as log:
        log.write(f"{{os.fstat(handle).st_ino}}\\n")
os.fsync = recorded
"""


def test_every_file_every_folder_and_every_new_name_of_an_artefact_is_synced(toy):
    source = toy.root / "stages/first/microstage_first/__main__.py"
    source.write_text(source.read_text().replace("def run(job):\n", f"def run(job):\n    {DEEP}\n"))
    log = toy.root / "synced"
    assert toy.call("first", PYTHONPATH=toy.patched(RECORD.format(log=str(log))))[0] == 0
    synced = {int(line) for line in log.read_text().split()}
    folder = toy.path("first")
    held = [folder, *folder.rglob("*"), folder.parent, folder.parents[1], folder.parents[2]]
    assert {path.name for path in held if path.stat().st_ino not in synced} == set()


def test_a_place_on_a_volume_that_turned_read_only_is_left_without_a_word(tmp_path, monkeypatch, capfd):
    def refused(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    with Place(tmp_path, "own") as folder:
        assert folder.is_dir()
        monkeypatch.setattr(Path, "unlink", refused)
    assert capfd.readouterr() == ("", "")


def test_imports_are_found_wherever_a_statement_may_stand(tmp_path):
    path = tmp_path / "a.py"
    path.write_text(
        "import os, microstage.one\n"
        "class A:\n    def f(self):\n        try:\n            from microstage.two import a\n"
        "        except E:\n            import microstage.three\n        else:\n            import microstage.four\n"
        "        finally:\n            import microstage.five\n"
        "match x:\n    case 1:\n        import microstage.six\n"
        "for y in ():\n    pass\nelse:\n    import microstage.seven\n"
        "with z:\n    import microstage.eight\n"
    )
    names = ("eight", "five", "four", "one", "seven", "six", "three")
    assert Digests().imports(path) == sorted([*(f"microstage.{name}" for name in names), "microstage.two.a"])
