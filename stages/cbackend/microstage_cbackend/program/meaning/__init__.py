"""What each kernel computes, in NumPy: functions of (kernel call, operands, the output's memory as it is)."""
