"""What there is: roles, releases, first-boot steps and kickstart sections, found by listing folders.

The site's own folder is laid over the built-in one, so a site brings a role, step, release or section in the same form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from kfimage import kinds as k
from kfimage.assets import Folder
from kfimage.errors import ERROR, KfimageError, Mark, Report, define, did_you_mean
from kfimage.grammar import build, listing, one
from kfimage.located import Mapping, Scalar, decode, merge, parse
from kfimage.lock import Lock
from kfimage.lock import read as read_lock
from kfimage.model import Release

UNKNOWN_NAME = define(
    "KF1203", ERROR, "a role, release or step that does not exist",
    why="Each is a folder; there is none of that name.",
    fix="see `kfimage steps` and the folders under kickstart/roles and kickstart/releases",
)

_RELEASES, _ROLES, _STEPS, _SECTIONS = "kickstart/releases", "kickstart/roles", "firstboot/steps", "kickstart/sections"


@dataclass(frozen=True)
class _Os:
    id: Optional[str] = one(k.name, "ID of /etc/os-release", required=True)
    version: Optional[str] = one(k.version, "VERSION_ID of /etc/os-release", required=True)


@dataclass(frozen=True)
class _BootFiles:
    kernel: Optional[str] = one(k.relative, "the installer's kernel in the vendor's tree", required=True)
    initrd: Optional[str] = one(k.relative, "the installer's initrd", required=True)


@dataclass(frozen=True)
class ReleaseFile:
    """release.yaml"""

    title: Optional[str] = one(k.line, "its name for people", required=True)
    like: Optional[str] = one(k.name, "another release, whose keys hold where this one says nothing")
    os: Optional[_Os] = one(_Os, "how the installed system names itself", required=True)
    pykickstart: Optional[str] = one(k._pattern("handler", r"[A-Z]+[0-9]+", "is not a pykickstart handler", "as in RHEL8"), "pykickstart's handler", required=True)
    boot: Optional[_BootFiles] = one(_BootFiles, "boot files", required=True)
    units: Optional[str] = one(k.name, "the release whose systemd.json holds", required=True)
    packages: tuple[str, ...] = listing(k.group_or_package, "vendor packages of every node")
    notes: tuple[str, ...] = listing(k.line, "what a user of this release should know")


@dataclass(frozen=True)
class Step:
    """A first-boot step: what it is, and why it differs from the guide."""

    name: str = ""
    title: Optional[str] = one(k.line, "one line, what it is", required=True)
    guide: tuple[int, ...] = listing(k.integer(1, 14), "the guide's steps it serves")
    acts: Optional[str] = one(k.line, "where it acts", required=True)
    why: Optional[str] = one(k.line, "why it is needed", required=True)
    differs: Optional[str] = one(k.line, "why it is not what the guide types")
    needs: tuple[str, ...] = listing(k._pattern("fact", r"KF_[A-Z0-9_*]+", "is not a fact's name", "as in KF_CRIO_VERSION"), "facts its scripts read")
    after: tuple[str, ...] = listing(k.name, "steps it follows when the role has them")
    packages: tuple[str, ...] = listing(k.package, "vendor packages it cannot do without; `packages.remove` must not name them")


class Catalog:
    """Everything that grows, over the built-in folder and, when there is one, the site's."""

    def __init__(self, builtin: Folder, site: Optional[Folder] = None) -> None:
        self.folders = (builtin,) if site is None else (site, builtin)
        self._builtin = builtin
        self._steps: dict[str, Step] = {}
        self._releases: dict[str, Release] = {}

    def find(self, path: str) -> Optional[tuple[bytes, str]]:
        """A file's bytes and the name it goes by in messages; the site's before the built-in one."""
        for folder in self.folders:
            data = folder.read(path)
            if data is not None:
                return data, folder.name(path)
        return None

    def read(self, path: str) -> bytes:
        found = self.find(path)
        if found is None:
            raise KeyError(path)
        return found[0]

    def names(self, path: str, file: str) -> tuple[str, ...]:
        """Folders under `path` that hold `file`, in any of the folders."""
        found = {d for folder in self.folders for d in folder.folders(path) if folder.read(f"{path}/{d}/{file}") is not None}
        return tuple(sorted(found))

    def roles(self) -> tuple[str, ...]:
        return self.names(_ROLES, "role.yaml")

    def releases(self) -> tuple[str, ...]:
        return self.names(_RELEASES, "release.yaml")

    def steps(self) -> tuple[str, ...]:
        return self.names(_STEPS, "step.yaml")

    def sections(self, release: str) -> tuple[tuple[str, str], ...]:
        """(file name, path) of each kickstart section in order; a release's or the site's file replaces one of the same name."""
        found: dict[str, str] = {}
        for top in (f"{_RELEASES}/{release}/sections", _SECTIONS):
            for folder in self.folders:
                for name in folder.files(top):
                    if name.endswith(".ks.j2"):
                        found.setdefault(name, f"{top}/{name}")
        return tuple(sorted(found.items()))

    def defaults(self, report: Report) -> Mapping:
        return self._tree(self._builtin, "kickstart/defaults.yaml", report)

    def repositories(self) -> frozenset[str]:
        """The repositories that the built-in defaults name."""
        found = self.defaults(Report()).get("repositories")
        return frozenset(found.entries) if isinstance(found, Mapping) else frozenset()

    def role(self, name: str, report: Report) -> list[Mapping]:
        """The layers that folders give a role, lowest first; empty when there is no such role."""
        path = f"{_ROLES}/{name}/role.yaml"
        return [self._tree(f, path, report) for f in reversed(self.folders) if f.read(path) is not None]

    def lock(self) -> Lock:
        return read_lock(self.read("kickstart/kfimage.lock"), "kickstart/kfimage.lock")

    def step(self, name: str) -> Step:
        """A step's description; raises KfimageError when its step.yaml is wrong, KeyError when there is none."""
        if name not in self._steps:
            fields = self._typed(Step, f"{_STEPS}/{name}/step.yaml")
            self._steps[name] = Step(**{**fields.__dict__, "name": name})
        return self._steps[name]

    def release(self, name: str, mark: Mark, report: Report) -> Optional[Release]:
        """A release, or None and a problem at the mark that named it."""
        if name not in self._releases:
            if name not in self.releases():
                report.add(UNKNOWN_NAME, mark, f"no release '{name}'", did_you_mean(name, self.releases()))
                return None
            data = self._typed(ReleaseFile, f"{_RELEASES}/{name}/release.yaml")
            self._releases[name] = Release(
                name=name, title=data.title, os_id=data.os.id, os_version=data.os.version, pykickstart=data.pykickstart,
                kernel=data.boot.kernel, initrd=data.boot.initrd, units=data.units, packages=data.packages, notes=data.notes,
            )
        return self._releases[name]

    def units_table(self, release: Release) -> str:
        """The JSON table of systemd directives that a release understands."""
        return self.read(f"{_RELEASES}/{release.units}/systemd.json").decode("utf-8")

    def _typed(self, cls: Any, path: str) -> Any:
        report = Report()
        found = next((f for f in self.folders if f.read(path) is not None), None)
        if found is None:
            raise KeyError(path)
        tree = self._tree(found, path, report)
        like = tree.get("like")
        if cls is ReleaseFile and isinstance(like, Scalar):
            other = f"{_RELEASES}/{like.text}/release.yaml"
            below = next((f for f in self.folders if f.read(other) is not None), None)
            if below is None:
                report.add(UNKNOWN_NAME, like.mark, f"no release '{like.text[:60]}'", did_you_mean(like.text, self.releases()))
            else:
                tree = merge(self._tree(below, other, report), tree)
        typed = build(cls, tree, "", report)
        if report:
            raise KfimageError(report)
        return typed

    def _tree(self, folder: Folder, path: str, report: Report) -> Mapping:
        name = folder.name(path)
        text = decode(folder.read(path) or b"", name, report)
        return (parse(text, name, report) if text is not None else None) or Mapping(Mark(name))
