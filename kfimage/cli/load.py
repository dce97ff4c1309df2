"""Reading a site from disk: the only place that opens site.yaml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from kfimage.assets import Folder, builtin
from kfimage.catalog import Catalog
from kfimage.errors import Exit, KfimageError, Mark, Report
from kfimage.located import MAX_BYTES, TOO_LARGE
from kfimage.pipeline import Pipeline
from kfimage.sitefile import EMPTY, UNREADABLE, read_site


def load(site: Optional[Path]) -> Pipeline:
    """The pipeline of a site file, of ./site.yaml, or of the built-in defaults. Raises KfimageError when there is nothing to read."""
    report = Report()
    if site is None:
        site = Path("site.yaml")
        if not site.exists():
            return Pipeline(read_site(EMPTY.encode(), "built-in defaults", None, report), Catalog(builtin()), report)
    data = read_bytes(site)
    parent = site.parent
    folder = Folder(parent, "" if str(parent) == "." else f"{parent}/")
    source = read_site(data, str(site), folder, report)
    if report.failed() and not source.top.entries:
        # Nothing of it was read: to go on would add that every key is missing.
        raise KfimageError(report)
    return Pipeline(source, Catalog(builtin(), folder), report)


def read_bytes(path: Path) -> bytes:
    """A file's bytes; KfimageError when it is absent, a folder, unreadable or larger than any site."""
    report = Report()
    mark = Mark(str(path))
    try:
        size = os.stat(path).st_size
        if size > MAX_BYTES:
            report.add(TOO_LARGE, mark, f"{size // 1048576} MB, the limit is {MAX_BYTES // 1048576} MB")
        else:
            return path.read_bytes()
    except FileNotFoundError:
        report.add(UNREADABLE, mark, "there is no such file", "`kfimage init` writes a first one")
    except IsADirectoryError:
        report.add(UNREADABLE, mark, "this is a folder", "name the site.yaml in it")
    except (OSError, ValueError) as error:
        report.add(UNREADABLE, mark, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    raise KfimageError(report, Exit.PROBLEM)
