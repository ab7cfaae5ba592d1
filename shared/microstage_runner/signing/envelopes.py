"""Sign manifests and check their signatures: DSSE envelopes, by securesystemslib.

This is all of the runner that needs packages, so it runs by itself in an environment of its own. It reads one question
in JSON per line and writes one answer each. The first question brings the keys, as texts in PEM:

    {"private": {name: text}, "public": {name: text}}        -> {"unfit": name of a key that is none, or null}

and any other a manifest, in base64, and the envelope beside it, if there is one:

    {"do": "sign", "manifest": ..., "envelope": text or null}  -> {"envelope": object}
    {"do": "check", "manifest": ..., "envelope": text}         -> {"signed_by": name of a key, or null}

An envelope that is not one of this manifest is answered by {"broken": what is wrong with it}.
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error, VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

TYPE = "application/vnd.in-toto+json"


class Unfit(Exception):
    """A text that does not hold one key of the kind that is wanted."""


class Broken(Exception):
    """An envelope that cannot be read, or that is of another manifest."""


def main() -> None:
    """Answer every line of standard input, until it ends."""
    signer, trusted, unfit = take(json.loads(sys.stdin.readline()))
    print(json.dumps({"unfit": unfit}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), signer, trusted)), flush=True)


def take(question: dict) -> tuple[CryptoSigner | None, dict[str, SSlibKey], str | None]:
    """Return (signer, {name: trusted key}, name of a text that is no key) of `question`; who signs is trusted, too."""
    signer, trusted, name = None, {}, None
    try:
        for name, text in question["private"].items():
            signer = CryptoSigner(one_key(text, load_open_key, Ed25519PrivateKey))
            trusted[name] = signer.public_key
        for name, text in question["public"].items():
            trusted[name] = SSlibKey.from_crypto(one_key(text, load_pem_public_key, Ed25519PublicKey))
    except Unfit:
        return None, {}, name
    return signer, trusted, None


def load_open_key(text: bytes):
    """Return the private key in `text`, which has no passphrase."""
    return load_pem_private_key(text, password=None)


def one_key(text: str, load, kind: type):
    """Return the only key in `text`, which `load` reads and which is of `kind`."""
    try:
        key = load(text.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a passphrase
        raise Unfit from None
    if text.count("-----BEGIN") != 1 or not isinstance(key, kind):
        raise Unfit
    return key


def answer(question: dict, signer: CryptoSigner | None, trusted: dict[str, SSlibKey]) -> dict:
    """Return the answer to a question about a manifest."""
    manifest, text = b64decode(question["manifest"]), question["envelope"]
    try:
        envelope = Envelope(manifest, TYPE, {}) if text is None else read(text, manifest)
    except Broken as problem:
        return {"broken": str(problem)}
    if question["do"] == "check":
        return {"signed_by": signed_by(envelope, trusted)}
    envelope.sign(signer)
    return {"envelope": envelope.to_dict()}


def read(text: str, manifest: bytes) -> Envelope:
    """Return the envelope in `text`, which is of `manifest` to the byte; `Broken` says what else it is."""
    try:
        envelope = Envelope.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, Error):
        raise Broken("cannot be read as a DSSE envelope") from None
    if envelope.payload != manifest or envelope.payload_type != TYPE:
        raise Broken("signs another manifest than the one beside it")
    return envelope


def signed_by(envelope: Envelope, trusted: dict[str, SSlibKey]) -> str | None:
    """Return the name of a trusted key that signed the envelope."""
    for name, key in trusted.items():
        try:
            envelope.verify([key], 1)
            return name
        except VerificationError:
            continue
    return None


if __name__ == "__main__":
    main()
