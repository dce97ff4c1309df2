"""A line that counts, on a terminal only, and only when the work is long enough to wonder."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def counter(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give a function to call with the number done; it draws at most ten times a second, after the first second."""
    start = drawn = time.monotonic()
    shown = False

    def progress(done: int) -> None:
        nonlocal drawn, shown
        now = time.monotonic()
        if sys.stderr.isatty() and now - start > 1 and now - drawn > 0.1:
            drawn, shown = now, True
            sys.stderr.write(f"\r{what} {done} of {total}")
            sys.stderr.flush()

    try:
        yield progress
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
