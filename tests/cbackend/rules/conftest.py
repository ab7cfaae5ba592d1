"""Folders whose C together has all kernels, streams, sound and self tests."""

from pathlib import Path

import pytest
from written import write_folder

from microstage.interface.cepstra import Cepstra

_FEATURES = Cepstra("features", 8000, 3000, 200, 80, 256, 24, 20.0, 4000.0, 1e-6, 13)


@pytest.fixture(scope="session")
def folders(every_kernel_source, stepped_source, tmp_path_factory) -> dict[str, Path]:
    """{what it is of: a folder as the stage writes it}. Not to be changed."""
    from writers.test_sound import artefact

    made = tmp_path_factory.mktemp("rules")
    sources = {
        "kernels": every_kernel_source,
        "stepped": stepped_source,
        "sound": artefact(made / "in", _FEATURES),
    }
    return {name: write_folder(source, made / name, vectors=2) for name, source in sources.items()}
