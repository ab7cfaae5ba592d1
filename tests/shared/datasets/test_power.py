"""Datasets: EV-CPW's file format and its faults, the split by source, the generator, the download."""

import contextlib
import gzip
import hashlib
import http.server
import io
import tarfile
import threading

import numpy as np
import pytest

from microstage.datasets import download
from microstage.datasets.power import ev_cpw
from microstage.datasets.power.loading import waveforms
from microstage.datasets.power.splits import assign
from microstage.errors import DatasetError, ParameterError
from microstage.signals import harmonic_amplitudes

AMPLITUDES = (20.0, 1.5, 0.8, 0.4)


def ev_lines(scale=1.0, phase=0.0, volts=120.0):
    turns = np.arange(4096) / 512
    current = scale * sum(a * np.cos(2 * np.pi * h * turns + phase * h) for h, a in zip((1, 3, 5, 7), AMPLITUDES))
    rows = [f"{k * 0.0325:.2f},{volts * np.cos(2 * np.pi * turns[k]):.3f},{current[k]:.6f}" for k in range(4096)]
    head = [
        "Trigger_Date,2023/08/04",
        "Trigger_Time,T 10:15",
        "Samples_Per_Cycle,512",
        "Microseconds_Per_Sample,32.552",
    ]
    return [*head, "Time (ms),Voltage (V),Current (A)", *rows]


@pytest.fixture
def vehicles(tmp_path):
    for index in range(8):
        folder = tmp_path / "ev_cpw" / f"vehicle_{index}"
        folder.mkdir(parents=True)
        for record in (1, 2):
            lines = ev_lines(scale=(index + 1) * record / 8, phase=index)
            (folder / f"Waveform_{record}.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_file_is_read_exactly(vehicles):
    record = ev_cpw.read(vehicles / "ev_cpw" / "vehicle_7" / "Waveform_1.csv", "current")
    assert record.source == "vehicle_7" and record.samples.shape == (512,) and record.periodic
    assert record.truth == pytest.approx(AMPLITUDES, abs=1e-5)
    assert harmonic_amplitudes(record.samples, 8) == pytest.approx(record.truth, abs=1e-9)
    assert ev_cpw.read(vehicles / "ev_cpw" / "vehicle_7" / "Waveform_1.csv", "voltage").truth[0] == pytest.approx(
        120, abs=1e-3
    )


def test_every_source_is_tested_in_one_fold():
    names = [f"v{k}" for k in range(12)]
    tested = [name for fold in range(4) for name, part in assign(names, fold).items() if part == "test"]
    assert sorted(tested) == sorted(names)
    with pytest.raises(DatasetError, match="at least 3 sources"):
        assign(["a", "b"], 0)


FAULTS = {
    "truncated": (lambda lines: lines[:3000], r"row 3000: the file ends after 2995 samples"),
    "cut in a row": (lambda lines: [*lines[:-1], "1.0,2.0"], r"row 4101: expected 3 values, found 2"),
    "empty": (lambda lines: [], r"expected 5 header rows"),
    "nan": (lambda lines: [*lines[:99], "1,2,nan", *lines[100:]], r"row 100: nan is not a sample"),
    "text": (lambda lines: [*lines[:99], "1,2,x", *lines[100:]], r"row 100: 'x' is not a number"),
    "rate": (lambda lines: [*lines[:3], "Microseconds_Per_Sample,39.06", *lines[4:]], r"row 4: .*the rate is wrong"),
    "unit": (
        lambda lines: [*lines[:4], "Time (ms),Voltage (V),Current (mA)", *lines[5:]],
        r"row 5: expected a column 'Current \(A\)'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_file_is_one_sentence_with_file_and_row(tmp_path, fault):
    spoil, reason = FAULTS[fault]
    path = tmp_path / "car" / "Waveform_1.csv"
    path.parent.mkdir()
    path.write_text("\n".join(spoil(ev_lines())))
    with pytest.raises(DatasetError, match=reason) as caught:
        ev_cpw.read(path, "current")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_without_recordings_says_what_it_wants(tmp_path):
    with pytest.raises(DatasetError, match="make data DATASET=ev-cpw"):
        waveforms("ev-cpw", tmp_path, length=32)


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
