"""Clips of speech and their labels: Speech Commands, its published features, and synthetic words."""
