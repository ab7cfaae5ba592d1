"""Choose the functions of real numbers that a network can have."""

from __future__ import annotations

from microstage_cbackend.vectors.real import RealVectors
from microstage_cbackend.writers.api import Api
from microstage_cbackend.writers.float_api import FloatApi
from microstage_cbackend.writers.stream_api import StreamApi

__all__ = ["RealApi", "real_api"]

RealApi = FloatApi | StreamApi
"Both have the same methods: `files`, and what the README says."


def real_api(api: Api, real: RealVectors | None) -> RealApi:
    """Return the functions on a stream of samples where all parts run at every step, else those on one inference.

    `real`: what the self test compares them on; without, there are none, and only the README has lines of them.
    """
    if api.stepping:
        return StreamApi(api.stepping, api.model.facts_of_ends(), real)
    return FloatApi(api, real)
