"""Harmonics over time of a user's recording: `windows` (train's environment), `integers` (qcdq's), `drawing` (train's)."""
