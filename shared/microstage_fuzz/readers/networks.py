"""What every network of the user's goes through, whatever its form."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microstage_streamline.normalise.commute import hoist
from microstage_streamline.normalise.normaliser import normalised
from microstage_streamline.user_file import opened

__all__ = ["read_network"]


def read_network(path: Path) -> None:
    """Read the file and bring it into the form that integers are made of."""
    with np.errstate(all="ignore"):
        hoist(normalised(opened(path, "", path.with_name("absent"), "", path.parent).graph()))
