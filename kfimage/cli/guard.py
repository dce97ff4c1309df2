"""What every command ends in: a problem is printed and becomes an exit code, never a traceback."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any, Callable, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def guarded(command: F) -> F:
    """Turn what a command raises into a message on stderr and an exit code."""
    writes = command.__name__ in ("render", "init")

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        from kfimage.errors import Exit, KfimageError

        try:
            try:
                command(*args, **kwargs)
            finally:
                # A pipe that broke must show here, not while the interpreter shuts down.
                sys.stdout.flush()
        except KfimageError as error:
            from kfimage.cli.output import print_report

            print_report(error.report, ending="nothing was written" if writes else "")
            raise SystemExit(int(error.code)) from None
        except KeyboardInterrupt:
            sys.stderr.write("interrupted; nothing more is written\n")
            raise SystemExit(int(Exit.INTERRUPTED)) from None
        except BrokenPipeError:
            # The reader has gone; what is still buffered has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(int(Exit.PROBLEM)) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            sys.stderr.write(f"{where}{error.strerror or error}\n  hint: check the path, its permissions and the free space\n")
            raise SystemExit(int(Exit.PROBLEM)) from None

    return cast(F, run)
