"""A toy checkout for each test."""

from toy import packages, toy  # noqa: F401
