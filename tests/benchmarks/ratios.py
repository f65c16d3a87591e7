"""Times pieces of work side by side, so that a noisy machine disturbs both alike."""

import gc
import statistics
import time

ROUNDS = 5


def seconds(work):
    """Return how long some work takes, without a collection of garbage that others left."""
    gc.collect()
    gc.disable()
    try:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started
    finally:
        gc.enable()


def median_ratio(name, work, bare, *, before=lambda: None, rounds=ROUNDS):
    """Print and return how many times as long ``work`` takes as ``bare``, round by round.

    ``before`` sets the scene for each, and is not timed.
    """
    ratios = []
    for _round in range(rounds):
        before()
        long = seconds(work)
        before()
        short = seconds(bare)
        ratios.append(long / short)
    ratio = statistics.median(ratios)
    print(f"\n{name}: {ratio:.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")
    return ratio
