"""The root, the mirror and the namespaces, once per session; each test gets a fresh node and a mirror without faults."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import kit
import pytest

from . import machine, rendering, world
from .machine import Node, Rack, Result

SOAK = bool(os.environ.get("KFIMAGE_SOAK"))


class Lab(NamedTuple):
    """What a test has: the rack and its nodes' kickstarts."""

    rack: Rack
    kickstarts: dict[str, str]

    def post(self, name: str) -> str:
        """The %post that lays the node down: the last one, and the only one that a site without encryption has."""
        ((interpreter, script, stops),) = machine.posts(self.kickstarts[name])
        assert interpreter == "/bin/bash"
        assert stops
        return script

    def install(self, name: str, timeout: float = 240) -> tuple[Node, Result]:
        node = self.rack.node()
        return node, node.execute(self.post(name), timeout=timeout)


def _possible() -> str:
    """Why these tests cannot run here; nothing when they can."""
    if os.geteuid():
        return "not root"
    missing = [tool for tool in machine.TOOLS if not shutil.which(tool)]
    return f"not installed: {' '.join(missing)}" if missing else ""


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    why = _possible()
    if why and os.environ.get("CI"):
        pytest.fail(f"tests/root must run in CI, and cannot: {why}")
    if why:
        pytest.skip(f"NOT TESTED: no %post is executed here ({why})")
    base = tmp_path_factory.mktemp("rack")
    with tempfile.TemporaryDirectory(prefix="kfg") as short:
        made = world.make(base / "mirror", Path(short) / "k")
    archive = machine.root_archive(kit.ROOT / "build" / "test-root")
    with machine.rack(base / "control", made) as rack:
        machine.make_root(rack, archive)
        yield Lab(rack, rendering.render(base / "site", made))


@pytest.fixture
def lab(session: Lab) -> Lab:
    session.rack.forget()
    return session


class Installed(NamedTuple):
    node: Node
    result: Result


@pytest.fixture(scope="session")
def installed(session: Lab) -> dict[str, Installed]:
    """Both roles, installed once from a mirror without faults; tests look at them and do not change them."""
    session.rack.forget()
    return {name: Installed(*session.install(name)) for name in session.kickstarts}
