"""Zip archives whose checksums are made to fit what their members hold."""

from __future__ import annotations

import io
import zipfile
import zlib

__all__ = ["fitted"]


def fitted(data: bytes) -> bytes | None:
    """Return the archive in `data` with right checksums; None where its members cannot be found."""
    made = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(made, "w") as target:
            for info in source.infolist()[:64]:
                with source.open(info) as member:
                    member._expected_crc = None  # type: ignore[attr-defined]
                    target.writestr(info.filename, member.read(len(data)))
    except (OSError, ValueError, EOFError, LookupError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
        return None
    except zlib.error:
        return None
    return made.getvalue()
