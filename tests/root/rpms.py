"""RPMs made here: one rpmbuild run for any number of packages, then signed, then a repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Rpm:
    """What one package is. `files`: path to text; a text that begins with #! is executable. `post` is its %post."""

    name: str
    version: str
    release: str = "1"
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    post: str = ""

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version}-{self.release}.noarch.rpm"


def run(*words: str, **options: object) -> str:
    """A tool of this machine; what it said, when it fails, is the test's failure."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{done.stdout}"
    return str(done.stdout)


def _section(rpm: Rpm) -> str:
    lines = [f"%package -n {rpm.name}", f"Version: {rpm.version}", f"Release: {rpm.release}", f"Summary: {rpm.name} of the tests", "AutoReqProv: no"]
    lines += [f"Requires: {r}" for r in rpm.requires] + [f"Provides: {p}" for p in rpm.provides]
    lines += [f"%description -n {rpm.name}", "Made by the tests."]
    if rpm.post:
        lines += [f"%post -n {rpm.name}", rpm.post]
    lines += [f"%files -n {rpm.name}", *rpm.files]
    return "\n".join(lines) + "\n\n"


def build(folder: Path, rpms: Iterable[Rpm]) -> None:
    """The packages as unsigned .rpm files in `folder`; names must differ within one call, rpm's own rule for one spec."""
    rpms = list(rpms)
    top = folder / "rpmbuild"
    for rpm in rpms:
        for path, text in rpm.files.items():
            file = top / "root" / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755 if text.startswith("#!") else 0o644)
    (top / "root").mkdir(parents=True, exist_ok=True)
    head = "%global debug_package %{nil}\n%global __os_install_post %{nil}\nName: kfimage-tests\nVersion: 1\nRelease: 1\nSummary: tests\n"
    head += f"License: none\nBuildArch: noarch\n%description\nx\n%install\nmkdir -p %{{buildroot}}\ncp -a {top}/root/. %{{buildroot}}/\n\n"
    (top / "world.spec").write_text(head + "".join(map(_section, rpms)))
    run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}", "--define", f"_rpmdir {top}/out", str(top / "world.spec"))
    for file in (top / "out").rglob("*.rpm"):
        shutil.move(file, folder / file.name)
    shutil.rmtree(top)


class Keys:
    """Signing keys in a keyring of their own, under a short path: gpg-agent's socket must fit into 108 bytes."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self.home, self.env = home, {**os.environ, "GNUPGHOME": str(home), "LC_ALL": "C"}

    def gpg(self, *words: str) -> str:
        return run("gpg", "--batch", "--no-tty", "--quiet", "--yes", "--pinentry-mode", "loopback", "--passphrase", "", *words, env=self.env)

    def make(self, name: str, *words: str) -> str:
        """A new key; its fingerprint."""
        self.gpg(*words, "--quick-generate-key", f"{name} <{name}@lab.example.org>", "rsa2048", "sign", "2y" if words else "never")
        listing = self.gpg("--with-colons", "--list-keys", f"{name}@lab.example.org")
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))

    def export(self, fingerprint: str, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.gpg("--armor", "--export", fingerprint))

    def sign(self, fingerprint: str, files: Iterable[Path]) -> None:
        # Debian's rpmsign calls gpg2, which is not there; it then leaves the packages unsigned.
        define = ("--define", "__gpg /usr/bin/gpg", "--define", f"_gpg_name {fingerprint}")
        run("rpmsign", *define, "--addsign", *map(str, files), env=self.env)

    def close(self) -> None:
        run("gpgconf", "--kill", "all", env=self.env)


def repository(folder: Path) -> None:
    run("createrepo_c", "--quiet", str(folder))
