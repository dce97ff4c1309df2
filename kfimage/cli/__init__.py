"""The command line: each command loads, makes one call, prints, and ends with an exit code of ours."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The entry point of the `kfimage` command."""
    import gc

    # A site is a large tree that lives until the end: looking through it for garbage, over and over, finds none and takes
    # a third of the time of 10,000 nodes. What does make cycles (the kickstart parser) counts by the thousand.
    gc.set_threshold(1_000_000, 20, 100)
    from kfimage.cli.app import app

    try:
        app()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        _leave(130)
    except SystemExit as done:
        if done.code is None or isinstance(done.code, int):
            _leave(done.code or 0)
        raise


def _leave(code: int) -> None:
    """End the process without taking its objects apart one by one, which takes a tenth of a short run."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        # The reader has gone; Python's own way out knows what to say and which code to give.
        sys.exit(code)
    os._exit(code)
