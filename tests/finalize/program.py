"""The command line in this process: arguments in; exit code, stdout and stderr out."""

from __future__ import annotations

import contextlib
import io
from typing import NamedTuple


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def kfimage(*args: object) -> Ran:
    from kfimage.cli.app import app

    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app([str(a) for a in args], prog_name="kfimage")
        except SystemExit as end:
            code = end.code
    return Ran(int(code or 0), out.getvalue(), err.getvalue())  # type: ignore[call-overload]
