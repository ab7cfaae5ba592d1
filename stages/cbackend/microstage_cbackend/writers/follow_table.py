"""Write the tables of kernels/ms_follow.h: a windowed sinc, and a cycle of the fundamental."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.writers.constants import rows

__all__ = ["follow_table"]

_UNITS, _FINE, _ONE = 6, 64, 32767
_KAISER = 7.857  # 80 dB


def follow_table(name: str, cycle: int) -> str:
    """Return <name>_follow_table.h, for `cycle` samples a cycle."""
    guard = f"{name.upper()}_FOLLOW_TABLE_H"
    at = np.arange(_UNITS * _FINE + 2) / _FINE
    window = np.i0(_KAISER * np.sqrt(np.clip(1 - (at / _UNITS) ** 2, 0, 1))) / np.i0(_KAISER)
    sinc = np.rint(np.where(at < _UNITS, np.sinc(at) * window, 0) * _ONE).astype(int)
    cosine = [f"{np.cos(2 * np.pi * k / cycle):.9f}f" for k in range(cycle)]
    lines = [
        "/* Tables of ms_follow.h: a sinc of which the first zero is MS_FOLLOW_FINE entries on, and a cycle of a "
        "cosine. */"
    ]
    lines += [f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", ""]
    lines += [
        f"enum {{ MS_FOLLOW_UNITS = {_UNITS}, MS_FOLLOW_FINE = {_FINE}, MS_FOLLOW_ONE = {_ONE}, MS_FOLLOW_CYCLE = "
        f"{cycle} }};",
        "",
    ]
    lines += [f"static const int16_t ms_follow_table[{len(sinc)}] = {{", *rows(sinc), "};"]
    lines += [f"static const float ms_follow_cosine[{cycle}] = {{"]
    lines += ["    " + ", ".join(cosine[k : k + 8]) + "," for k in range(0, cycle, 8)]
    return "\n".join([*lines, "};", "", "#endif", ""])
