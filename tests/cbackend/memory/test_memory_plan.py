"""No byte is overwritten that is still to be read, and no more memory is taken than that needs."""

from random import Random

import pytest
from drawn_parts import conv, depthwise, drawn_part, image, pack, pool
from tagged import Lost, walk

from microstage_cbackend.program.ir import KernelCall, Part
from microstage_cbackend.program.memory import MemoryPlan, plan_memory


def test_drawn_parts_lose_nothing():
    """Plans of drawn parts, walked byte by byte, with the input in the arena and without."""
    shared = 0
    for seed in range(40):
        random = Random(seed)
        part = drawn_part(random, length=random.randint(1, 7))
        plan = plan_memory(part)
        for inside in (False, True):
            walk(part, plan, random, inside)
        shared += plan.size < _layer_by_layer(part, plan)
    assert shared > 12  # there was something to be lost


def _layer_by_layer(part: Part, plan: MemoryPlan) -> int:
    """The bytes of the busiest layer if nothing is shared within a layer."""
    every = [*plan.buffers.values(), *plan.scratch.values()]
    return max(sum(b.bytes for b in every if b.first <= i <= b.last) for i in range(len(part.layers)))


WINDOWS = [
    {"kernel": (1, 1)},
    {"kernel": (3, 3), "pads": (1, 1, 1, 1)},
    {"kernel": (3, 3), "stride": (2, 2), "pads": (0, 0, 1, 1)},
    {"kernel": (2, 3), "dilation": (2, 1), "pads": (2, 0, 0, 2)},
]


@pytest.mark.parametrize("filters", [2, 8])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_the_model_allows_what_loses_nothing_and_no_more(window, filters):
    """Each distance between input and output of a convolution, at byte granularity of 8: the walk says the same."""
    x = image("x", 7, 6, 4)
    _every_distance(x, [conv("first", x, x.shape, 4), conv("second", x, (7, 6, 4), filters, **window)])


@pytest.mark.parametrize("window", WINDOWS[1:], ids=str)
def test_depthwise_is_in_place(window):
    x = image("x", 7, 6, 8)
    found = _every_distance(x, [conv("first", x, x.shape, 8), depthwise("second", x, (7, 6, 8), **window)])
    assert 0 in found


@pytest.mark.parametrize("window", [{"kernel": (1, 1)}, {"kernel": (2, 2), "stride": (2, 2)}], ids=str)
def test_a_pool_writes_an_element_behind_what_it_read_of_it(window):
    x = image("x", 6, 6, 12)
    found = _every_distance(x, [conv("first", x, x.shape, 12), pool("second", image("", 6, 6, 12), **window)])
    assert 0 in found


@pytest.mark.parametrize("channels", [4, 16, 72])
def test_signs_are_packed_in_place_where_a_word_is_no_longer_than_its_bytes(channels):
    x = image("x", 4, 3, channels)
    found = _every_distance(x, [conv("first", x, x.shape, channels), pack("second", x)])
    assert (0 in found) == (channels >= 16)


def _every_distance(x, layers: list[KernelCall]) -> list[int]:
    """Compare model and walk at all distances of the second layer's output from its input; return those allowed."""
    first, second = layers
    second.inputs = [first.output]
    last = conv("last", second.output, second.output.shape, 1)
    part = Part("pair", [x], [last.output], ["y"], [first, second, last])
    first.scratch = second.scratch = last.scratch = 0
    plan = plan_memory(part)
    before, behind = plan.buffers[first.output], plan.buffers[second.output]
    allowed = []
    for distance in range(-behind.bytes, before.bytes + 8, 8):
        before.offset, behind.offset = max(0, -distance), max(0, distance)
        if before.allows(behind, distance):
            allowed.append(distance)
        assert _loses(part, plan) != before.allows(behind, distance), distance
    return allowed


def _loses(part: Part, plan: MemoryPlan) -> bool:
    """Whether any of a few walks loses a byte: what is drawn is drawn anew."""
    for seed in range(4):
        try:
            walk(part, plan, Random(seed), inside=False)
        except Lost:
            return True
    return False


def test_a_widest_layer_needs_its_output_and_no_more():
    """A 1x1 layer that widens, behind a depthwise one: both inputs lie in its output, the network's input too."""
    x = image("x", 8, 8, 3)
    layers = [conv("first", x, x.shape, 8)]
    layers.append(depthwise("apart", layers[-1].output, (8, 8, 8), kernel=(3, 3), pads=(1, 1, 1, 1)))
    layers.append(conv("wider", layers[-1].output, (8, 8, 8), 16))
    layers.append(conv("narrow", layers[-1].output, (8, 8, 16), 2))
    part = Part("p", [x], [layers[-1].output], ["y"], layers)
    plan = plan_memory(part)
    working = 16
    assert plan.size == plan.bound == 8 * 8 * 16 + working
    assert plan.inputs[x].offset + x.bytes <= plan.size
    assert all(buffer.offset % 8 == 0 for buffer in (*plan.buffers.values(), *plan.scratch.values()))
