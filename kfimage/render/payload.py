"""The first-boot payload: firstboot/ as one tar, the same bytes on every node, and how a kickstart gets hold of it."""

from __future__ import annotations

import hashlib
import io
import tarfile

from kfimage.artefact import Artefact
from kfimage.catalog import Catalog
from kfimage.model import Plan
from kfimage.render.carry import base64_lines
from kfimage.render.templates import Block

_LIBEXEC = "usr/libexec/kfimage"
_UNITS = "etc/systemd/system"
_UNIT_ENDINGS = (".service", ".target", ".timer", ".path")


def destination(path: str) -> str | None:
    """Where a file of firstboot/ lies on the node, or None when it stays here (step.yaml is for people and `explain`)."""
    parts = path.split("/")
    if len(parts) == 1:
        return f"{_LIBEXEC}/{path}"
    if parts[0] == "units":
        return f"{_UNITS}/{parts[-1]}"
    if parts[0] != "steps" or parts[-1] == "step.yaml":
        return None
    if len(parts) == 3 and path.endswith(_UNIT_ENDINGS):
        return f"{_UNITS}/{parts[-1]}"
    return f"{_LIBEXEC}/{path}"


class Payload:
    """The payload of a catalog; `own` names the site's files in it, by where they lie on the node."""

    def __init__(self, catalog: Catalog) -> None:
        self.files, self.own = _files(catalog)
        self.tar = _tar(self.files)
        self.sha256 = hashlib.sha256(self.tar).hexdigest()
        self.path = f"firstboot/payload-{self.sha256[:16]}.tar"

    def artefacts(self) -> tuple[Artefact, ...]:
        """What lands on a node, readable, and the tar made of it."""
        shown = tuple(Artefact(f"firstboot/root/{path}", "firstboot", data, mode) for path, (data, mode) in self.files.items())
        return (*shown, Artefact(self.path, "payload", self.tar))

    def carried(self, plan: Plan) -> Block:
        """The %post lines that bring the payload onto the node: from boot.url, or out of the kickstart itself."""
        tar = "/var/lib/kfimage/payload.tar"
        if self.by_url(plan):
            get = f"fetch {plan.boot.url}/{self.path} {tar}\n"
        else:
            get = f"base64 -d > {tar} <<'KF_END'\n{base64_lines(self.tar)}KF_END\n"
        return Block(
            f"install -d -m 0755 /var/lib/kfimage\n{get}"
            f"printf '%s  %s\\n' {self.sha256} {tar} | sha256sum --check --quiet - ||\n"
            f"    stop 'the first-boot payload is not the one of this kickstart' 'render again, and copy kickstart/ and firstboot/ together'\n"
            f"tar --extract --no-same-owner --preserve-permissions --directory / --file {tar}\n"
        )

    @staticmethod
    def by_url(plan: Plan) -> bool:
        return plan.boot.payload == "url" or (plan.boot.payload != "embed" and plan.boot.url is not None)


def _files(catalog: Catalog) -> tuple[dict[str, tuple[bytes, int]], dict[str, str]]:
    found: dict[str, tuple[bytes, int]] = {}
    own: dict[str, str] = {}
    for folder in reversed(catalog.folders):
        for path in folder.files("firstboot"):
            where = destination(path)
            data = folder.read(f"firstboot/{path}")
            if where is None or data is None:
                continue
            script = path in ("step", "report") or path.endswith(("run.sh", "install.sh")) or data[:2] == b"#!"
            found[where] = (data, 0o755 if script and path != "lib.sh" else 0o644)
            if folder is not catalog.folders[-1]:
                own[where] = folder.name(f"firstboot/{path}")
    return dict(sorted(found.items())), own


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    # Not compressed: a compressor's bytes change with its version, and the sha256 is in every kickstart.
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, (data, mode) in files.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode, info.mtime, info.uid, info.gid = len(data), mode, 0, 0, 0
            info.uname = info.gname = "root"
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
