"""Integer networks of random float ones, each made once."""

from functools import cache

from random_floats import random_network, random_pictures

from microstage import quantisation
from microstage.quantisation import Target


@cache
def integers_of(seed: int, target: "str | Target"):
    prepared = quantisation.prepare(random_network(seed), random_pictures(seed)[:1])
    return quantisation.quantize(prepared, target).calibrate([random_pictures(seed)]).integerize()
