"""Names that are chosen among others, however they are typed: capitals, - and _, and the order of two widths do not
matter.

`CNV_W1A1`, `cnv-1w1a` and `w1a1-cnv` are one network. Whatever was typed, stages and keys see the name as declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from microstage.errors import ParameterError

__all__ = ["declared_name", "nearest"]

_WIDTHS = re.compile(r"(?<!\d)\d+[wa]\d+[wa]|[wa]\d+[wa]\d+(?!\d)")
"Bits of weights and of activations: 1w2a, 2a1w, w1a2 or a2w1."


def declared_name(text: str, names: Iterable[str], variable: str) -> str:
    """Return the one of `names` that `text` is a spelling of; `text` as it is where it is none.

    A name that is declared so is always itself. Raise `ParameterError` for a spelling of two others.
    """
    known = [*names]
    if text in known:
        return text
    found = [name for name in known if _plain(name) == _plain(text)]
    if len(found) > 1:
        raise ParameterError(f"{variable}={text} may be {' or '.join(found)}: type one of these as it stands here.")
    return found[0] if found else text


def nearest(text: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that is most like `text`, however both are spelt; None where none is."""
    plain = {_plain(name): name for name in names}
    near = get_close_matches(_plain(text), plain, n=1, cutoff=0.5)
    return plain[near[0]] if near else None


def _plain(name: str) -> str:
    """Return a name without capitals and separators, its widths last and weights first."""
    plain = re.sub(r"[\W_]+", "", name.lower())
    widths = _WIDTHS.search(plain)
    if widths is None:
        return plain
    form = r"(?P<bits>\d+)(?P<of>[wa])" if widths[0][0].isdigit() else r"(?P<of>[wa])(?P<bits>\d+)"
    bits = {found["of"]: found["bits"] for found in re.finditer(form, widths[0])}
    return plain[: widths.start()] + plain[widths.end() :] + "".join(kind + bits.get(kind, "") for kind in "wa")
