"""`python tests/shared/estimation/example.py` writes docs/example.cff, a second of a feeder.

It holds a sag, a step and an inrush.
"""

import numpy as np
from places import REPOSITORY
from recorded import combined, wave

RATE, MAINS = 3200, 49.97
TIME = np.arange(RATE) / RATE
VOLTAGE, CURRENT = (0.325, 0.004, 0.008, 0.003), (40.0, 5.0, 3.0, 1.5)


def channels():
    """Return a voltage with a sag, a current that goes down by half, both of phase A, and an inrush in phase B."""
    rng = np.random.Generator(np.random.PCG64(1))
    sag = np.where((TIME > 0.25) & (TIME < 0.37), 0.6, 1.0)
    step = np.where(TIME > 0.61, 0.5, 1.0)
    behind = np.maximum(TIME - 0.2, 0)
    turns = 2 * np.pi * MAINS * TIME - 2.1
    dying = np.exp(-behind / 0.08) * (60 * np.cos(turns) + 45 + 20 * np.cos(2 * turns))
    inrush = np.where(behind > 0, wave(TIME, MAINS, (20, 1, 1, 0.5), 2.1) + dying, 0.01 * np.cos(turns))
    made = {
        "VA": ("kV", sag * wave(TIME, MAINS, VOLTAGE)),
        "IA": ("A", step * wave(TIME, MAINS, CURRENT, 0.4)),
        "IB": ("A", inrush),
    }
    return {name: (unit, x + rng.normal(0, 1e-3 * np.abs(x).max(), x.shape)) for name, (unit, x) in made.items()}


if __name__ == "__main__":
    combined(REPOSITORY / "docs" / "example.cff", channels(), "BINARY", rate=RATE)
