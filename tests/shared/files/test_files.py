"""Files: written whole or not at all, one text for one value."""

import pytest

from microstage.files.atomic import half_made, replacing
from microstage.files.canonical import canonical_json, digest, write_json


def test_canonical_json_knows_no_order_and_no_nan():
    assert canonical_json({"b": 1, "a": 0.50}) == b'{"a":0.5,"b":1}'
    assert digest({"x": 1, "y": 2}) == digest({"y": 2, "x": 1}) != digest({"x": 2, "y": 1})
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path, beside = tmp_path / "note.json", tmp_path / ".note.json.part"
    write_json(path, {"a": 1})
    beside.write_text("what a killed writer left, longer than what is written next " * 9)
    with pytest.raises(ValueError):
        write_json(path, float("nan"))
    with pytest.raises(KeyError), replacing(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_text() == '{\n "a": 1\n}\n' and not beside.exists()
    beside.write_text("left " * 99)
    write_json(path, {"a": 2})
    assert path.read_text() == '{\n "a": 2\n}\n' and [p.name for p in tmp_path.iterdir()] == ["note.json"]


def test_what_is_half_made_lies_beside_and_a_killed_writers_is_removed(tmp_path):
    folder, left = tmp_path / "data", tmp_path / ".data.part"
    left.mkdir()
    (left / "half").write_text("left by a killed one")
    with half_made(folder) as part:
        assert part == left and not list(part.iterdir())
        (part / "whole").mkdir()
        (part / "whole").rename(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
