"""Runs as TensorBoard reads them."""

import json
import struct

from tensorboardX.proto.event_pb2 import Event

from microstage_report.tracking.tensorboard import main

_RUN = {
    "id": "1b6f",
    "parameters": {"width": 4},
    "figures": {"top-1": 87.5},
    "curves": [{"epoch": epoch, "figure": "float: train", "value": 0.5 / epoch} for epoch in (1, 2)],
}


def test_figures_and_curves_of_a_run_are_its_scalars_however_often_it_is_compared(tmp_path):
    (tmp_path / "runs.json").write_text(json.dumps([_RUN]))
    for _ in range(2):
        assert main(tmp_path / "runs.json", tmp_path / "events") == 0
    (file,) = (tmp_path / "events" / "1b6f").iterdir()
    points = [(value.tag, event.step, value.simple_value) for event in _events(file) for value in event.summary.value]
    scalars = [point for point in points if not point[0].startswith("parameters")]
    assert scalars == [("top-1", 0, 87.5), ("float/train", 1, 0.5), ("float/train", 2, 0.25)]
    assert "width = 4" in str([event for event in _events(file)])


def _events(file):
    """Yield the events of a file of records: length, its checksum, the event, its checksum."""
    data = file.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        yield Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]
