"""The bound of the stack: summed along calls and pointers, above what is measured, refused where there is none."""

import pytest
from test_footprint import MACHINE, networks  # noqa: F401

from microstage.errors import ModelError
from microstage_bench.footprint.firmware import Build, firmware_of
from microstage_bench.footprint.stack import CallGraph, StackBound, stack_bounds, stack_table

WRITTEN = """graph: { title: "a.c"
node: { title: "f" label: "f\\na.c:1:1\\n16 bytes (static)\\n0 dynamic objects" }
node: { title: "a.c:walk" label: "walk\\na.c:2:1\\n8 bytes (dynamic,bounded)\\n0 dynamic objects" }
node: { title: "a.c:dot" label: "dot\\na.c:3:1\\n40 bytes (static)\\n0 dynamic objects" }
node: { title: "memset" label: "memset\\n<built-in>" shape : ellipse }
edge: { sourcename: "f" targetname: "a.c:walk" label: "a.c:1:1" }
edge: { sourcename: "a.c:walk" targetname: "__indirect_call" label: "a.c:2:1" }
edge: { sourcename: "a.c:dot" targetname: "memset" label: "a.c:3:1" }
}
"""


def graph(text: str, *taken: str) -> CallGraph:
    made = CallGraph()
    made.add(text, {*taken})
    return made


def test_frames_are_summed_along_the_deepest_way_and_through_pointers():
    assert graph(WRITTEN, "dot").bounds() == {"f": StackBound(16, 64, frozenset(["memset"]))}
    assert graph(WRITTEN).bounds()["f"].deepest == 24


def test_a_stack_without_a_bound_is_refused():
    with pytest.raises(ModelError, match="by what it is given"):
        graph(WRITTEN.replace("40 bytes (static)", "40 bytes (dynamic)"))
    with pytest.raises(ModelError, match="f -> a.c:walk -> f"):
        graph(WRITTEN.replace('targetname: "__indirect_call"', 'targetname: "f"')).bounds()


@pytest.mark.parametrize("name", ["cortex-m0+", "cortex-m4", "riscv32"])
def test_the_bound_is_above_what_is_measured_on(name, networks, tmp_path):  # noqa: F811
    folder, _ = networks[64]
    build = Build(MACHINE[name], "gcc", "-O2")
    if build.missing:
        pytest.skip(build.missing)
    bounds = stack_bounds(folder, build, tmp_path)
    with firmware_of(folder) as firmware:
        found = firmware.measure(build).stack
    (infer,) = (bound for function, bound in bounds.items() if function.endswith("_infer"))
    assert 0 < found <= infer.deepest + 64, (found, infer)
    assert f"| {infer.deepest:,} " in stack_table("net", {build: bounds})
