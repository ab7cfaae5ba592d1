"""A file that is not what its page says is refused in one sentence, whatever is wrong with it."""

import zlib
from hashlib import sha256

import numpy as np
import pytest

from microstage.errors import ArtefactError
from microstage_cbackend.network_file.format.numbers import PLACES
from microstage_cbackend.network_file.format.records import HEADER, RECORDS, SECTION, SECTIONS
from microstage_cbackend.network_file.reading.check import read_network


@pytest.fixture(scope="module", params=["every_kernel_file", "stepped_file"])
def whole(request) -> bytes:
    return request.getfixturevalue(request.param).data


def sealed(data: bytearray) -> bytes:
    """The file with all checksums as they have to be."""
    header = np.frombuffer(data, HEADER.dtype, 1)[0]
    table = np.frombuffer(data, SECTION.dtype, int(header["sections"]), HEADER.size)
    for entry in table:
        entry["crc"] = zlib.crc32(data[int(entry["offset"]) : int(entry["offset"] + entry["bytes"])])
    header["crc"] = 0
    header["crc"] = zlib.crc32(data[: HEADER.size + table.nbytes])
    data[-32:] = sha256(data[:-32]).digest()
    return bytes(data)


def changed(whole: bytes, kind: str, number: int, field: str, value) -> bytes:
    """The file with one field of one record changed, and right checksums."""
    data = bytearray(whole)
    header = np.frombuffer(data, HEADER.dtype, 1)[0]
    table = np.frombuffer(data, SECTION.dtype, int(header["sections"]), HEADER.size)
    entry = next(e for e in table if bytes(e["kind"]) == kind.encode())
    record = next(section.record for section in SECTIONS if section.kind == kind)
    rows = np.frombuffer(data, record.dtype, int(entry["bytes"]) // record.size, int(entry["offset"]))
    rows[number][field] = value
    return sealed(data)


def refused(data: bytes) -> str:
    with pytest.raises(ArtefactError) as error:
        read_network(data)
    sentence = str(error.value)
    assert "\n" not in sentence and sentence.endswith(".")
    return sentence


def test_what_is_cut_off_or_another_file(whole):
    for size in (0, 7, 63, 64, 200, len(whole) // 2, len(whole) - 1):
        assert "damaged" in refused(whole[:size])
    assert "no network file" in refused(b"PK" + whole[2:])
    assert "version 2.0" in refused(whole[:8] + b"\2" + whole[9:])


def test_every_byte_is_covered_by_a_checksum(whole):
    random = np.random.default_rng(0)
    for at in [*range(12, 64, 5), *random.integers(64, len(whole), 60)]:
        data = bytearray(whole)
        data[at] ^= 1 << int(random.integers(8))
        assert "damaged" in refused(bytes(data))


@pytest.mark.parametrize(
    ("kind", "field", "value", "said"),
    [
        ("TENS", "offset", 4, "no multiple of 8"),
        ("TENS", "elements", 1 << 30, "bytes of tensor"),
        ("TENS", "ctype", 9, "no type 9"),
        ("TENS", "place", 7, "which there is not"),
        ("LAYR", "kernel", 99, "kernel 99"),
        ("LAYR", "operands", [1 << 20] * 4, "is tensor 1048576"),
        ("LAYR", "starts", [1 << 30] * 4, "reaches element"),
        ("LAYR", "shape", [1 << 30] * 20, "layer"),
        ("LAYR", "scratch", 1 << 20, "working memory"),
        ("PART", "layers", 1 << 20, "layers of part"),
        ("PROG", "calls", 1 << 20, "calls of program"),
        ("CALL", "kind", 50, "a call 50"),
        ("ARGS", "offset", 1 << 20, "bytes of a place"),
        ("ARGS", "base", 99, "bases of program"),
        ("FACE", "name", 1 << 20, "of TEXT"),
        ("FACE", "rank", 9, "another shape"),
    ],
)
def test_records_that_reach_out_of_the_file(whole, kind, field, value, said):
    in_arena = np.flatnonzero(read_network(whole).rows["TENS"]["place"] == PLACES["arena"])[0]
    assert said in refused(changed(whole, kind, int(in_arena) if kind == "TENS" else 0, field, value))


def test_whatever_a_record_says_it_is_read_or_refused(whole):
    random = np.random.default_rng(1)
    records = {section.kind: section.record for section in SECTIONS if section.record}
    table = np.frombuffer(whole, SECTION.dtype, len(records), HEADER.size)
    counts = {bytes(e["kind"]).decode(): int(e["bytes"]) for e in table}
    known = [(kind, counts[kind] // record.size, record) for kind, record in records.items() if counts.get(kind)]
    assert len(RECORDS) > len(known) > 4
    for _ in range(100):
        kind, count, record = known[random.integers(len(known))]
        field = record.fields[random.integers(len(record.fields))]
        top = int(np.iinfo(field.kind).max)
        value = int(random.choice([0, 1, 3, 255, 65535, top, top // 2, top - 1]))
        try:
            read_network(changed(whole, kind, int(random.integers(count)), field.name, min(value, top)))
        except ArtefactError as error:
            assert str(error).endswith(".")
