"""A pytest plugin: finn-plus's tests without Vivado.

Stands where the suite's own conftest asks for Xilinx's simulator.
"""

import random

import numpy as np
import pytest

from microstage_streamline.finn.torch_stub import provide

provide()

import finn.util.settings  # noqa: E402

# Ours are loaded beside FINN's, and must not change them.
from microstage_streamline.finn import estimate, layout  # noqa: E402, F401


def pytest_collect_file(file_path, parent):
    finn.util.settings.initialize_dummy_settings()


@pytest.fixture(autouse=True)
def deterministic_random_state(request):
    from tests.rng_seed import seed_from_nodeid

    seed = seed_from_nodeid(request.node.nodeid)
    random.seed(seed)
    np.random.seed(seed)
