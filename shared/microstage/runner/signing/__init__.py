"""Signatures of manifests, as DSSE envelopes beside them; docs/trust.md says what they promise."""

from microstage.runner.signing.keys import Keys, carry
from microstage.runner.signing.program import environment

__all__ = ["Keys", "carry", "environment"]
