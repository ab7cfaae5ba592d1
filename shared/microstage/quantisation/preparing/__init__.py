"""Rewrite a float network into the layers that quantisers know. Every rewrite is checked against the network before."""

from microstage.quantisation.preparing.prepare import PreparedNetwork, prepare

__all__ = ["PreparedNetwork", "prepare"]
