"""Every check there is: the modules that define one are found by walking the package."""

from __future__ import annotations

import importlib
import pkgutil

import kfimage


def load_all() -> None:
    """Import every module of the package, so that errors.CHECKS is whole."""
    for module in pkgutil.walk_packages(kfimage.__path__, "kfimage."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
