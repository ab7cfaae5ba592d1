"""Quantisers of brevitas for a target, and the scales that they hold."""
