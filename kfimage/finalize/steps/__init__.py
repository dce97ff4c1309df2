"""The steps, one file each: a module here with a `make` is a step, found by listing the folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass

from kfimage.finalize.step import Step, ordered
from kfimage.finalize.stream import Stream


@dataclass(frozen=True)
class Settings:
    """What a run was asked for, as far as steps need it. `digest` is the stream's sha256."""

    stream: Stream
    digest: str
    insecure_demo: bool = False


def names() -> tuple[str, ...]:
    """Every step there is, sorted."""
    return tuple(sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(__path__)))


def make(wanted: Sequence[str], settings: Settings) -> tuple[Step, ...]:
    """The steps named, in the order they run."""
    return ordered([importlib.import_module(f"{__name__}.{name.replace('-', '_')}").make(settings) for name in wanted])
