"""Signatures of manifests, as DSSE envelopes beside them; docs/trust.md says what they promise."""

from microstage_runner.signing.keys import Keys, carry
from microstage_runner.signing.program import environment, is_installed

__all__ = ["Keys", "carry", "environment", "is_installed"]
