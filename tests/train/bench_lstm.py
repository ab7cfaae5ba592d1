"""Milliseconds of one training step of an LSTM: float, brevitas' stock, fused; turn by turn.

Batch 128, 14 steps, 64 -> 128.
"""

import statistics
import time

import torch
from quant_lstms import learned

from microstage.models.fused_lstm import fuse

_ROUNDS = 15


def main() -> None:
    torch.backends.mkldnn.enabled = False  # as in training
    x = torch.randn(128, 14, 64)
    contenders = {
        "float": torch.nn.LSTM(64, 128, batch_first=True),
        "stock": learned(64, 128),
        "fused": fuse(learned(64, 128)),
    }
    for threads in (1, 2):
        torch.set_num_threads(threads)
        taken = {name: [] for name in contenders}
        for round_ in range(_ROUNDS + 1):  # the first warms up
            for name, lstm in contenders.items():
                began = time.perf_counter()
                lstm(x)[0].sum().backward()
                taken[name] += [time.perf_counter() - began] if round_ else []
        median = {name: 1e3 * statistics.median(times) for name, times in taken.items()}
        ratios = [a / b for a, b in zip(taken["stock"], taken["fused"])]
        print(
            f"{threads} thread(s): float {median['float']:.1f} ms, brevitas {median['stock']:.1f} ms,"
            f" fused {median['fused']:.1f} ms;"
            f" {statistics.median(ratios):.2f} times as fast as brevitas (from {min(ratios):.2f} to {max(ratios):.2f}),"
            f" {median['fused'] / median['float']:.2f} times the float one's time"
        )


if __name__ == "__main__":
    main()
