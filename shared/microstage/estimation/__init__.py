"""Harmonics over time of a user's recording, every channel of it, in qcdq's environment.

record     channels as the file has them -> 64 samples for each cycle of the record's own mains frequency
steps      -> the windows that a network reads, and the DFT over the same half cycles and over 200 ms
networks   -> amplitudes by the integer graphs of a network of the channel's kind
events     -> steps, sags, swells and inrush in it
tables, files, drawing   what a person reads, what a program reads, what is looked at
"""
