"""Read a user's recordings: COMTRADE and CSV files, decoded into waveforms of known unit and rate."""
