"""Compute what each kernel computes, in NumPy.

Functions take a kernel call, its operands (int64, flat, from their first element on) and the output's memory as it is;
they return what the output holds, or None where they wrote into its memory themselves.
"""
