"""pack on one volume, unpack on another, and home again; every damaged or foreign bundle is refused and leaves nothing."""

import io
import json
import tarfile

import pytest

from microstage.canonical import digest
from microstage.errors import IntegrityError
from microstage.runner import bundle


@pytest.fixture
def packed(tmp_path):
    files = {}
    for name, text in {"checkout/a.py": "print(1)\n" * 3000, "inputs/data/b.bin": "b" * 5000}.items():
        files[name] = tmp_path / name.replace("/", "_")
        files[name].write_text(text)
    path = tmp_path / "x.tar"
    bundle.write(path, {"kind": "stage", "about": {}}, files)
    return path


def test_what_is_written_is_what_comes_out_and_equal_input_gives_equal_bytes(packed, tmp_path):
    bundle.extract(packed, tmp_path / "out")
    assert (tmp_path / "out/checkout/a.py").read_text() == "print(1)\n" * 3000
    again = tmp_path / "again.tar"
    bundle.write(again, {"kind": "stage", "about": {}}, {n: tmp_path / "out" / n for n in ("inputs/data/b.bin", "checkout/a.py")})
    assert again.read_bytes() == packed.read_bytes()


@pytest.mark.parametrize("cut", [0, 1, 511, 600, 1536, 20000])
def test_a_truncated_bundle_is_refused(packed, tmp_path, cut):
    packed.write_bytes(packed.read_bytes()[:cut])
    refused(packed, tmp_path)


def test_any_flipped_byte_that_matters_is_refused(packed, tmp_path):
    whole = packed.read_bytes()
    with tarfile.open(packed) as archive:
        places = [m.offset_data + 3 for m in archive if m.size] + [m.offset + 2 for m in archive if m.size]
    for place in places:
        packed.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refused(packed, tmp_path)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "checkout/../evil"])
def test_a_path_out_of_the_bundle_is_refused(packed, tmp_path, name):
    rewritten(packed, lambda index: index["files"].update({name: index["files"].pop("checkout/a.py")}), {"checkout/a.py": name})
    refused(packed, tmp_path)
    assert not (tmp_path / "evil").exists()


def test_a_link_is_refused(packed, tmp_path):
    with tarfile.open(packed, "a") as archive:
        member = tarfile.TarInfo("checkout/link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    refused(packed, tmp_path)


def refused(path, tmp_path):
    with pytest.raises(IntegrityError) as error:
        bundle.extract(path, tmp_path / "out")
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def rewritten(path, change, renamed):
    with tarfile.open(path) as archive:
        members = [(m.name, archive.extractfile(m).read()) for m in archive]
    index = json.loads(members[0][1])
    del index["digest"]
    change(index)
    index["digest"] = digest(index)
    path.unlink()
    members[0] = (members[0][0], json.dumps(index).encode())
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            member = tarfile.TarInfo(renamed.get(name, name))
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.fixture
def volumes(toy, tmp_path):
    for stage in ("first", "second"):
        (toy.root / "stages" / stage / "Dockerfile").write_text("")
    return {name: tmp_path / name for name in ("home", "away", "other")}


def told(done, code=0):
    assert done[0] == code, done
    return done[1] if code == 0 else done[2]


def test_a_stage_goes_out_and_comes_home(toy, volumes, tmp_path):
    sent = tmp_path / "sent.tar"
    told(toy.call("pack", "STAGE=second", "TIMES=3", f"BUNDLE={sent}", f"VOLUMES={volumes['home']}"))
    assert toy.ran() == ["first"]
    (toy.root / "stages/second/microstage_second/__main__.py").write_text("raise SystemExit('not what was packed')")
    assert "is done" in told(toy.call("unpack", f"BUNDLE={sent}", f"VOLUMES={volumes['away']}"))
    assert toy.ran() == ["second"]
    [back] = tmp_path.glob("*.artefact.tar")
    assert "answers no `make pack`" in told(toy.call("unpack", f"BUNDLE={back}", f"VOLUMES={volumes['other']}"), 2)
    assert not list(volumes["other"].glob("second/*"))
    assert "published" in told(toy.call("unpack", f"BUNDLE={back}", f"VOLUMES={volumes['home']}"))
    [made] = volumes["home"].glob("second/*/double.txt")
    assert made.read_text() == "0.5" * 3 and not list(volumes["home"].glob(".partial/bundle*"))


def test_what_came_home_is_what_make_would_have_made(toy, volumes, tmp_path):
    sent, home = tmp_path / "sent.tar", f"VOLUMES={volumes['home']}"
    told(toy.call("pack", "STAGE=second", f"BUNDLE={sent}", home))
    told(toy.call("unpack", f"BUNDLE={sent}", f"VOLUMES={volumes['away']}"))
    [back] = tmp_path.glob("*.artefact.tar")
    told(toy.call("unpack", f"BUNDLE={back}", home))
    toy.ran()
    told(toy.call("second", home))
    assert toy.ran() == []
    told(toy.call("second", home, "FORCE=1"))  # makes it again, and would name any other byte
    assert toy.ran() == ["second"]


def test_an_artefact_changed_with_its_index_is_refused(toy, volumes, tmp_path):
    """Whoever changes a file and every digest that the bundle holds of it still meets the key."""
    sent = tmp_path / "sent.tar"
    told(toy.call("pack", "STAGE=second", f"BUNDLE={sent}", f"VOLUMES={volumes['home']}"))
    rewritten(sent, lambda index: index["about"]["parameters"].update(times=7), {})
    assert "not those that its key names" in told(toy.call("unpack", f"BUNDLE={sent}", f"VOLUMES={volumes['away']}"), 2)
    assert toy.ran() == ["first"] and not list(volumes["away"].glob("second/*"))
