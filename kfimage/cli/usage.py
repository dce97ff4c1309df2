"""What a command line can ask for wrongly, and how every command ends in one report."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kfimage.cli.output import as_json, as_sarif
from kfimage.errors import CHECKS, Exit, KfimageError, Mark, Report, define, did_you_mean

WRONG_USE = define(
    "KF9001",
    "error",
    "options that do not fit together or name what is not there",
    why="Doing something else than was asked for would be worse than doing nothing.",
    fix="see `kfimage COMMAND --help`",
)


def wrong_use(message: str, hint: str = "") -> KfimageError:
    """The error for a command line that cannot be followed."""
    report = Report()
    report.add(WRONG_USE, Mark("command line"), message, hint or None)
    return KfimageError(report, Exit.USAGE)


def known_checks(names: Sequence[str]) -> tuple[str, ...]:
    """Check ids in canonical case; wrong use when one of them does not exist."""
    if not names:
        return ()
    from kfimage.cli.checks import load_all

    load_all()
    for name in names:
        if name.upper() not in CHECKS:
            raise wrong_use(f"no check '{name}'", did_you_mean(name.upper(), CHECKS))
    return tuple(name.upper() for name in names)


@contextmanager
def reporting(json: bool, sarif: bool) -> Iterator[None]:
    """Let a failing command's report go to stdout in the form asked for; people's text stays with `guarded`."""
    if json and sarif:
        raise wrong_use("--json and --sarif are two forms of one report", "choose one")
    try:
        yield
    except KfimageError as error:
        if not (json or sarif) or error.code is Exit.USAGE:
            raise
        sys.stdout.write(as_json(error.report) if json else as_sarif(error.report))
        sys.stdout.flush()
        raise SystemExit(int(error.code)) from None
