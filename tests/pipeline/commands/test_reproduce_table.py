"""README's tables made anew: found on the page, set beside what is measured, and told apart where they differ."""

from __future__ import annotations

import pytest

from microstage.errors import ParameterError
from microstage_runner.commands import reproduce_table
from microstage_runner.process import REPOSITORY
from microstage_runner.readme.markdown import beside, differing, read
from microstage_runner.readme.tables import TABLES, of_accuracy, of_sweep

README = (REPOSITORY / "README.md").read_text()


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_on_the_page(name):
    there = read(README, TABLES[name].columns)
    assert all(set(TABLES[name].columns) <= set(cells) for cells in there.values()) and len(there) > 1


def test_figures_of_a_sweep_stand_beside_those_of_the_page():
    there = read(README, TABLES["bnn-pynq"].columns)
    figures = {"tfc-1w1a": {"integers' top-1": "94.03 %"}, "tfc-1w2a": {"integers' top-1": "95.00 %"}, "tfc-2w2a": {}}
    measured = of_sweep(figures)
    assert "| microstage | 94.03 (94.03) | 95.00 (96.00) |  (96.92) |" in beside(measured, there)
    assert [line.split(":")[0] for line in differing(measured, there, 0.0)] == [
        "microstage, TFC-1W2A", "microstage, TFC-2W2A"
    ]  # fmt: skip


def test_rows_of_the_harmonic_table_are_those_of_the_page():
    there = read(README, TABLES["harmonic"].columns)
    others = ("float", "uncorrected", "running_dft", "gated_dft")
    errors = {**dict.fromkeys(others, 0.1), "network": 0.141, "half_cycle_dft": 7.33}
    methods = {name: [error, 0.071, 0.054, 0.049] for name, error in errors.items()}
    found = {"after": {step: methods for step in "1248"}, "behind": {step: methods for step in "1234"}}
    measured = of_accuracy(found)
    assert set(measured) <= set(there)
    assert there["half-cycle DFT"]["after 8"] == there["half-cycle DFT"]["first half cycle"]  # "the same"
    assert measured["quantised network"]["first half cycle"] == there["quantised network"]["first half cycle"]
    assert measured["half-cycle DFT"]["the four behind a step"] == "7.33/.071/.054/.049"


def test_a_tolerance_is_a_share_of_the_pages_figure_and_missing_data_is_asked_for():
    assert differing({"a": {"us": "1,050"}}, {"a": {"us": "1,000"}}, 0.1) == []
    assert len(differing({"a": {"us": "1,050"}}, {"a": {"us": "1,000"}}, 0.01)) == 1
    with pytest.raises(ParameterError, match="TABLE=none is not allowed: expected one of bnn-pynq, harmonic, bench."):
        reproduce_table.planned({"TABLE": "none"}, REPOSITORY)
    with pytest.raises(ParameterError, match="TABLE=bnn-pynq needs DATA_DIR=, the folder of mnist."):
        reproduce_table.planned({"TABLE": "bnn-pynq"}, REPOSITORY)
