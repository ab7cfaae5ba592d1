"""Lay an integer graph out as FINN streams it, and estimate what FINN builds of it."""
