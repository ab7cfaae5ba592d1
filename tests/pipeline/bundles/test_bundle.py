"""The file of a bundle: what `write` gives comes out again; anything else is one sentence, before anything is
extracted.
"""

from __future__ import annotations

import os
import tarfile
from types import SimpleNamespace

import pytest
from crafted import INDEX, appended, member, put_together, rewritten, with_header

from microstage.errors import ArtefactError, EnvironmentProblem, IntegrityError
from microstage_runner.bundles import bundle

SOURCE, DATA = "checkout/a.py", "inputs/data/b.bin"


@pytest.fixture
def packed(tmp_path):
    files = {}
    for name, text in {SOURCE: "print(1)\n" * 3000, DATA: "b" * 5000}.items():
        files[name] = tmp_path / name.replace("/", "_")
        files[name].write_text(text)
    path = tmp_path / "x.tar"
    bundle.write(path, {"kind": "stage", "about": {}}, files)
    return path


def refused(path, folder, kind=IntegrityError):
    """One sentence about `path`, and nothing of it written."""
    with pytest.raises(kind) as error:
        bundle.extract(path, folder / "out")
    said = str(error.value)
    assert len(said) < 500 and said.isprintable() and (kind is not IntegrityError or str(path) in said)
    assert not (folder / "out").exists() and not (folder / "evil").exists()


def test_what_is_written_is_what_comes_out_and_equal_input_gives_equal_bytes(packed, tmp_path):
    bundle.extract(packed, tmp_path / "out")
    assert (tmp_path / "out" / SOURCE).read_text() == "print(1)\n" * 3000
    again = tmp_path / "again.tar"
    bundle.write(again, {"kind": "stage", "about": {}}, {name: tmp_path / "out" / name for name in (DATA, SOURCE)})
    assert again.read_bytes() == packed.read_bytes()


def test_long_and_foreign_names_come_out(tmp_path):
    names = ["inputs/" + "n" * 200 + "/" + "ö" * 100, "inputs/häufig: 12.csv", "inputs/empty"]
    for number in range(len(names)):
        (tmp_path / str(number)).write_text("x" * number)
    bundle.write(tmp_path / "x.tar", {}, {name: tmp_path / str(number) for number, name in enumerate(names)})
    bundle.extract(tmp_path / "x.tar", tmp_path / "out")
    assert {
        file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*") if file.is_file()
    } == {*names}


@pytest.mark.parametrize("cut", [0, 1, 511, 600, 1536, 20000])
def test_a_truncated_bundle_is_refused(packed, tmp_path, cut):
    packed.write_bytes(packed.read_bytes()[:cut])
    refused(packed, tmp_path)
    with pytest.raises(IntegrityError, match="is cut short|cannot be read"):  # told without reading as far
        bundle.read_index(packed)


def test_any_flipped_byte_that_matters_is_refused(packed, tmp_path):
    whole = packed.read_bytes()
    with tarfile.open(packed) as archive:
        places = [m.offset_data + 3 for m in archive if m.size] + [m.offset + 2 for m in archive if m.size]
    for place in [*places, len(whole) - 1]:
        packed.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refused(packed, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/evil",
        "a/../../evil",
        "checkout/../evil",
        "",
        ".",
        "a//b",
        "a/",
        "..\\evil",
        "C:/evil",
        "c:evil",
        "a\0b",
        "a\nb",
        "a\x1b[2Jb",
        "a\u202eb",
        "\udcff",
        "n" * 300,
        "/".join("n" * 9 for _ in range(200)),
        INDEX,
        DATA.upper(),
        DATA + "/x",
        "inputs",
    ],
)
def test_a_name_that_is_no_place_of_its_own_in_the_bundle_is_refused(packed, tmp_path, name):
    text = name.encode(errors="surrogatepass").decode(errors="replace") if name == "\udcff" else name
    rewritten(packed, lambda index: index["files"].update({text: index["files"].pop(SOURCE)}), {SOURCE: text})
    if text != name:  # canonical JSON knows no such name: written as the bytes of one
        packed.write_bytes(packed.read_bytes().replace(text.encode(), b"\\udcff"))
    refused(packed, tmp_path)


def _sized(size):
    return lambda index: index["files"][DATA].update(size=size)


INDEXES = {
    "no files": lambda index: index.pop("files"),
    "a list of files": lambda index: index.update(files=[]),
    "a number for a file": lambda index: index["files"].update({DATA: 1}),
    "a size too many": _sized(5001),
    "a size too few": _sized(4999),
    "a size in words": _sized("5000"),
    "a true size": _sized(True),
    "a part": _sized(5000.5),
    "a size below zero": _sized(-1),
    "a size beyond all disks": _sized(1 << 62),
    "a digest of nothing": lambda index: index["files"][DATA].update(sha256="0" * 63),
    "no digest": lambda index: index["files"][DATA].update(sha256=None),
    "another format": lambda index: index.update(format=["x" * 9999]),
    "a file more": lambda index: index["files"].update({"inputs/data/c": {"sha256": "0" * 64, "size": 0}}),
    "a file less": lambda index: index["files"].pop(DATA),
}


@pytest.mark.parametrize("change", INDEXES.values(), ids=INDEXES)
def test_an_index_that_does_not_fit_is_refused(packed, tmp_path, change):
    rewritten(packed, change)
    refused(packed, tmp_path)


@pytest.mark.parametrize(
    "text", [b"[" * 100000, b'{"a":' * 100000, b"null", b"[]", b'{"digest": 1e999}', b"\xff", b'{"digest":NaN}']
)
def test_an_index_that_is_none_is_refused(packed, tmp_path, text):
    put_together(packed, text, {})
    refused(packed, tmp_path)


_PAX = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40), "GNU.sparse.name": DATA}
KINDS = {
    "a link": {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
    "a hard link": {"type": tarfile.LNKTYPE, "linkname": SOURCE},
    "a device": {"type": tarfile.BLKTYPE},
    "a pipe": {"type": tarfile.FIFOTYPE},
    "a folder": {"type": tarfile.DIRTYPE},
    "a sparse file": {"type": tarfile.GNUTYPE_SPARSE},
    "a name of gigabytes": {"type": tarfile.GNUTYPE_LONGNAME, "size": 1 << 33},
    "a header of gigabytes": {"type": tarfile.XHDTYPE, "size": 1 << 33},
    "one of all": {"type": tarfile.XGLTYPE, "size": 1 << 33},
    "a size below zero": {"size": -512},
    "another mode": {"mode": 0o4755},
    "another time": {"mtime": 1},
}


@pytest.mark.parametrize("fields", KINDS.values(), ids=KINDS)
def test_a_member_that_is_no_plain_file_is_refused_in_place_of_one_and_behind_all(packed, tmp_path, fields):
    whole, header = packed.read_bytes(), member(DATA, **{"size": 5000, **fields}).tobuf(tarfile.GNU_FORMAT)
    with_header(packed, DATA, header)
    refused(packed, tmp_path)
    packed.write_bytes(whole)
    appended(packed, header)
    refused(packed, tmp_path)


def test_a_sparse_file_of_a_terabyte_in_ten_kilobytes_is_refused(packed, tmp_path):
    appended(packed, member(DATA, 512, pax_headers=_PAX).tobuf(tarfile.PAX_FORMAT), b"1\n0\n1\n".ljust(512, b"\0"))
    refused(packed, tmp_path)


def test_a_second_member_of_one_name_is_refused(packed, tmp_path):
    appended(packed, member(DATA, 512).tobuf(), b"x" * 512)
    refused(packed, tmp_path)


@pytest.mark.parametrize("free", [{"f_bavail": 7}, {"f_files": 100, "f_favail": 1}], ids=["bytes", "files"])
def test_what_the_disk_has_no_room_for_is_not_begun(packed, tmp_path, monkeypatch, free):
    """A file with holes may be as long as its index says, and take no room at all until it is extracted."""
    disk = {"f_frsize": 4096, "f_bavail": 1 << 20, "f_files": 0, "f_favail": 0, **free}
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(**disk))
    refused(packed, tmp_path, EnvironmentProblem)


def test_what_could_not_be_unpacked_is_not_packed(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(ArtefactError, match="cannot be packed: it lists 'inputs/b' and a file in whose place"):
        bundle.write(tmp_path / "x.tar", {}, {"inputs/B": tmp_path / "a", "inputs/b": tmp_path / "a"})
    with pytest.raises(ArtefactError, match=r"cannot be packed: it lists 'a\\nb', which is no name"):
        bundle.write(tmp_path / "x.tar", {}, {"a\nb": tmp_path / "a"})
    assert not (tmp_path / "x.tar").exists()
