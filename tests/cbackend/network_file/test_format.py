"""The page, the interpreter's header and the kernels' own structures say what the tables say."""

import re

import pytest
from places import REPOSITORY

from microstage_cbackend.network_file.format.numbers import KERNELS, STAGES
from microstage_cbackend.network_file.format.records import CALL, LAYER, RECORDS
from microstage_cbackend.network_file.format.tables import HEADER_FILE, c_header, with_tables

PAGE = REPOSITORY / "docs" / "network-file.md"
SOURCES = "\n".join(path.read_text() for path in (HEADER_FILE.parents[1] / "kernels").glob("*.h"))


def test_page_and_header_are_written_from_the_tables():
    assert with_tables(PAGE.read_text()) == PAGE.read_text()
    assert c_header() == HEADER_FILE.read_text()


def members(name: str) -> list[str]:
    """The members of a structure of the kernels, four-element arrays element by element."""
    body = re.search(r"typedef struct \{([^}]*)\} (?:\w+, )*" + name + r"\b", SOURCES)[1]
    names = [
        word.strip("* \n") for line in body.split(";") for word in re.sub(r"^\s*(const )?\w+ ", "", line).split(",")
    ]
    return [
        each for name in names if name
        for each in ([f"{name[:-3]}[{i}]" for i in range(4)] if name.endswith("[4]") else [name])
    ]  # fmt: skip


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_sizes_are_those_of_the_kernels_structure_in_its_order(kernel):
    assert [*kernel.shape, *kernel.factors] == members(kernel.struct)
    assert len(kernel.sizes) <= next(f.count for f in LAYER.fields if f.name == "shape")


@pytest.mark.parametrize("stage", STAGES[3:], ids=lambda s: s.name)
def test_stages_have_the_members_of_the_kernels_structure(stage):
    wide = [stage.wide] if stage.wide else []
    assert sorted([*stage.arrays, *stage.numbers, *wide]) == sorted(members(f"ms_{stage.name}"))


def test_records_have_no_gaps():
    for record in RECORDS:
        for field, at in zip(record.fields, record.offsets()):
            assert at % field.width == 0, (record.name, field.name)
    assert LAYER.size % 8 == CALL.size % 8 == 0
