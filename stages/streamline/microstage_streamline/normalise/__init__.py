"""Bring a graph that was read into one form for what exporters write in many."""
