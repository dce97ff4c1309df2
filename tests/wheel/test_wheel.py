"""The wheel, installed away from the checkout, renders the very bytes that the checkout renders."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import kit
import pytest

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path) -> str:
    """A command's stdout, without this checkout on its path."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def files(tree: Path) -> dict[str, tuple[bytes, int]]:
    return {p.relative_to(tree).as_posix(): (p.read_bytes(), p.stat().st_mode) for p in sorted(tree.rglob("*")) if p.is_file()}


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=kit.ROOT)
    return folder


@pytest.fixture(scope="session")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `kfimage` of a new virtual environment that knows the wheel and nothing of the checkout."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=True)
    (wheel,) = dist.glob("*.whl")
    run(home / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=home)
    return home / "bin/kfimage"


def test_the_wheel_holds_every_data_file_with_its_mode(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {i.filename: i.external_attr >> 16 & 0o777 for i in archive.infolist()}
    for top in ("kickstart", "firstboot"):
        for path in (kit.ROOT / top).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                name = f"kfimage/_data/{path.relative_to(kit.ROOT).as_posix()}"
                assert held.get(name, 0) & 0o111 == path.stat().st_mode & 0o111, name
    assert "kfimage/verify/proven.txt" in held
    assert not [name for name in held if name.startswith(("tests/", "scripts/"))]


def test_the_sdist_builds_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    run("tar", "--extract", "--file", sdist, "--strip-components=1", cwd=tmp_path)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "again", cwd=tmp_path)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(tmp_path / "again" / wheel.name) as other:
        assert {n: one.read(n) for n in one.namelist()} == {n: other.read(n) for n in other.namelist()}


@pytest.mark.parametrize("options", [("--role", "gpu-worker"), ()])
def test_it_renders_from_anywhere_what_the_checkout_renders(installed: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    run(installed, "render", *options, "--output", tmp_path / "wheel", cwd=Path("/"))
    checkout = (sys.executable, "-c", f"import sys; sys.path.insert(0, {str(kit.ROOT)!r}); from kfimage.cli import main; main()")
    run(*checkout, "render", *options, "--output", tmp_path / "checkout", cwd=Path("/"))
    assert files(tmp_path / "wheel") == files(tmp_path / "checkout")


def test_it_knows_its_version(installed: Path) -> None:
    from kfimage import __version__

    assert run(installed, "--version", cwd=Path("/")) == f"kfimage {__version__}\n"
