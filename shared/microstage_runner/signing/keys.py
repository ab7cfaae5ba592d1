"""Which keys sign and which are trusted, and what that means for one published folder.

volumes/<stage>/<key>/manifest.json        an in-toto statement
volumes/<stage>/<key>/manifest.dsse.json   its bytes in a signed envelope: in no digest, and it travels along
"""

from __future__ import annotations

import json
import os
from base64 import b64decode
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from microstage.errors import IntegrityError
from microstage.files.canonical import write_json
from microstage_runner.artefacts.artefact import ENVELOPE, MANIFEST, Artefact
from microstage_runner.artefacts.syncing import sync
from microstage_runner.signing.program import Program

__all__ = ["Keys", "carry", "largest"]


class Keys:
    """The key that signs what is published here, and those that are trusted: its public half, and all of PUBLIC_KEY=.

    Without any, every method passes at once and starts nothing.
    """

    def __init__(self, volumes: Path, signing: str = "", public: str = "") -> None:
        self.volumes, self.signing, self.public = volumes, signing, public

    @classmethod
    def chosen(cls, volumes: Path, typed: Mapping[str, str]) -> Keys:
        """Return the keys that were typed, or else those of the environment; "" is none."""
        names = ("SIGNING_KEY", "PUBLIC_KEY")
        return cls(volumes, *(typed.get(name, os.environ.get(f"MICROSTAGE_{name}", "")) for name in names))

    def __bool__(self) -> bool:
        return bool(self.signing or self.public)

    def __str__(self) -> str:
        """The keys, as they are typed."""
        given = {"PUBLIC_KEY": self.public, "SIGNING_KEY": self.signing}
        return " or ".join(f"{name}={value}" for name, value in given.items() if value)

    def load(self) -> None:
        """Raise `ParameterError` for a key that is none, before anything is done for it."""
        if self:
            _ = self._program

    def seal(self, artefact: Artefact) -> None:
        """Sign the manifest, if there is a key that signs. Signatures of others stay."""
        if self.signing:
            _write(artefact, self._ask("sign", artefact)["envelope"])

    def signer(self, artefact: Artefact) -> str | None:
        """Return the key that signed the manifest, None if no trusted one did.

        `IntegrityError` if the envelope beside it is none, or of another manifest.
        """
        return self._ask("check", artefact)["signed_by"] if ENVELOPE in artefact.statements else None

    def require(self, artefact: Artefact, name: str = "") -> str | None:
        """Return the key that signed the manifest; `IntegrityError`, which calls it `name`, if it is none of these."""
        if not self:
            return None
        found = self.signer(artefact)
        if found is None:
            signed = ENVELOPE in artefact.statements
            state = "is signed, but not by" if signed else "is not signed: expected a signature by"
            raise IntegrityError(f"{name or artefact.path} {state} {self}; docs/trust.md says how to go on.")
        return found

    def verified(self, artefacts: Iterable[Artefact]) -> str:
        """Return a line for each artefact, with the key that signed it; raise `IntegrityError` for the first without
        one.
        """
        if not self:
            return "signatures: not checked; PUBLIC_KEY= says whose are believed (docs/trust.md)"
        return "\n".join(f"{artefact.about['stage']}: signed by {self.require(artefact)}" for artefact in artefacts)

    def usable(self, artefact: Artefact) -> bool:
        """Return whether what is published may be taken as it is; False if it has to be made again, to be signed.

        `IntegrityError` where PUBLIC_KEY= names who is trusted, and none of them signed it.
        """
        if self.public:
            self.require(artefact)
        return not self or self.signer(artefact) is not None

    @cached_property
    def _program(self) -> Program:
        return Program(self.volumes, self.signing, self.public.split(",") if self.public else [])

    def _ask(self, do: str, artefact: Artefact) -> dict[str, Any]:
        manifest, envelope = Path(artefact.path, MANIFEST).read_bytes(), Path(artefact.path, ENVELOPE)
        if json.loads(manifest) != artefact.manifest:
            raise IntegrityError(f"{artefact.path} was changed while it was read; run the same command again.")
        answer = self._program.ask(do, manifest, _text(envelope, largest(len(manifest))))
        if "broken" in answer:
            raise IntegrityError(
                f"{envelope} {answer['broken']}: {artefact.path} was changed after it was signed; "
                "remove the folder and run the stage again."
            )
        return answer


def carry(source: Artefact, target: Artefact) -> None:
    """Give `target`, which has the same manifest, the signatures of `source` beside its own."""
    if came := _envelope(source):
        there, new = _envelope(target) or {"signatures": []}, {signature["keyid"] for signature in came["signatures"]}
        came["signatures"] += [signature for signature in there["signatures"] if signature["keyid"] not in new]
        _write(target, came)


def largest(manifest: int) -> int:
    """Return the most bytes that the envelope of a manifest of so many may take: four thirds of them, and its
    signatures.
    """
    return 2 * manifest + (1 << 16)


def _envelope(artefact: Artefact) -> dict[str, Any] | None:
    """Return the envelope of an artefact, if there is one of its manifest; who signed it is not asked."""
    try:
        envelope = json.loads(Path(artefact.path, ENVELOPE).read_text())
        sound = b64decode(envelope["payload"]) == Path(artefact.path, MANIFEST).read_bytes()
        return envelope if sound and {one["keyid"] for one in envelope["signatures"]} else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _text(envelope: Path, most: int) -> str | None:
    """Return the first `most` bytes of a file; None where there is none."""
    if not envelope.is_file():
        return None
    with envelope.open("rb") as handle:
        return handle.read(most).decode(errors="replace")


def _write(artefact: Artefact, envelope: Mapping[str, Any]) -> None:
    """Write a file beside the folder and rename it into it: whatever happens, nothing else is ever in it."""
    folder = Path(artefact.path)
    beside = folder.with_name(f".{folder.name}.dsse")
    write_json(beside, envelope)
    beside.replace(folder / ENVELOPE)
    sync(folder)
