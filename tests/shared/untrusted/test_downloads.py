"""What is downloaded: taken by its digest, bounded in every way, and nothing is kept of what fails."""

import contextlib
import gzip
import hashlib
import http.server
import io
import tarfile
import threading

import pytest

from microstage.datasets import download
from microstage.errors import DatasetError, ParameterError


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A server with an archive of two files under foreign names, and the digests that belong to them."""
    contents = {"A/Waveform_1.csv": b"one", "B/Waveform_1.csv": b"two"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for index, content in enumerate([*contents.values(), b"not wanted"]):
            member = tarfile.TarInfo(f"../elsewhere {index}.csv")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    served = {"body": packed.getvalue(), "length": str(len(packed.getvalue()))}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", served["length"])
            self.end_headers()
            with contextlib.suppress(OSError):  # the caller has heard enough
                self.wfile.write(served["body"])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    monkeypatch.setitem(download._ARCHIVES, "ev-cpw", f"http://127.0.0.1:{server.server_port}/archive.tar.gz")
    monkeypatch.setattr(download, "_digests", lambda name: digests)
    yield served, contents, digests
    server.shutdown()


def test_download_takes_files_by_digest_and_mends_a_damaged_one(published, tmp_path):
    _, contents, _ = published
    for _ in range(2):
        download.fetch("ev-cpw", tmp_path / "data")
        folder = tmp_path / "data" / "ev_cpw"
        assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.csv")} == contents
        (folder / "A" / "Waveform_1.csv").write_bytes(b"damaged")


def test_a_failed_download_keeps_nothing(published, tmp_path):
    served, _, digests = published
    whole, served["body"] = served["body"], served["body"][:40]
    with pytest.raises(DatasetError):
        download.fetch("ev-cpw", tmp_path / "data")
    served["body"] = whole
    digests["A/Waveform_1.csv"] = "0" * 64
    with pytest.raises(DatasetError, match="A/Waveform_1.csv"):
        download.fetch("ev-cpw", tmp_path / "data")
    assert not [p for p in (tmp_path / "data").rglob("*") if p.is_file()]
    with pytest.raises(ParameterError, match="cannot be downloaded"):
        download.fetch("generator", tmp_path / "data")


def _archive(*members, fill=b""):
    packed = io.BytesIO()
    with gzip.open(packed, "wb") as file:
        file.write(b"".join(member.tobuf(tarfile.GNU_FORMAT) for member in members) + fill)
    return packed.getvalue()


def _member(name, size, kind=tarfile.REGTYPE):
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member


BOUNDS = {
    "a length beyond the cap": ({"length": str(1 << 40)}, "is said to have"),
    "a length below zero": ({"length": "-1"}, "is said to have"),
    "no length": ({"length": "many"}, "cannot be fetched"),
    "more than the cap": ({"length": "", "body": bytes(3 << 20)}, "more than 2 MiB"),
    "a member of terabytes": ({"body": _archive(_member("a.csv", 1 << 42))}, "not in the archive|is refused"),
    "more than it may unpack to": (
        {"body": _archive(_member("a.bin", 5 << 20), fill=bytes(5 << 20))}, "more than 4 MiB",
    ),
    "a sparse file": (
        {"body": _archive(_member("a.csv", 512, tarfile.GNUTYPE_SPARSE), fill=bytes(512))}, "is refused",
    ),
    "a header of gigabytes": ({"body": _archive(_member("a.csv", 1 << 33, tarfile.XHDTYPE))}, "is refused"),
    "no archive": ({"body": gzip.compress(b"x" * 5000)}, "is refused"),
    "no gzip": ({"body": b"x" * 5000}, "is refused"),
}  # fmt: skip


@pytest.mark.parametrize(("served_instead", "said"), BOUNDS.values(), ids=BOUNDS)
def test_a_download_is_bounded_by_what_is_said_of_it_and_by_what_comes(
    published, tmp_path, monkeypatch, served_instead, said
):
    served, _, _ = published
    monkeypatch.setattr(download, "_ARCHIVE_MIB", 2)
    monkeypatch.setattr(download, "_UNPACKED_MIB", 4)
    served.update({"length": "", **served_instead})
    with pytest.raises(DatasetError, match=said) as error:
        download.fetch("ev-cpw", tmp_path / "data")
    assert "\n" not in str(error.value) and not [p for p in (tmp_path / "data").rglob("*") if p.is_file()]


def test_the_published_digests_are_of_72_files_of_12_vehicles():
    listed = download._digests("ev-cpw")
    assert len(listed) == 72 and len({path.split("/")[0] for path in listed}) == 12
    assert all(len(digest) == 64 for digest in listed.values())
