"""The golden trees: what the rack of tests/sites/rack.yaml and each built-in role on each release render to.

`python tests/golden_tool.py` rewrites tests/golden; the diff is what a reviewer reads. One edit of a script must not rewrite
every golden kickstart. So the payload's sha256 stands there as zeros, its base64 as one line, and what the payload holds is
listed once, in tests/golden/payload.txt; the scripts under kickstart/ are pasted in whole in one golden only, EMBEDDED.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

import kit

from kfimage.artefact import Artefact, index
from kfimage.model import Plan
from kfimage.pipeline import Pipeline

GOLDEN = Path(__file__).resolve().parent / "golden"
EMBEDDED = ("gpu-worker", "rhel-8.7")
"""The built-in role whose golden kickstart carries its payload, as `kfimage render --role gpu-worker` makes it."""

_PASTED = ("kickstart/pre/storage.sh", "kickstart/post/guard.sh", "kickstart/post/clevis.sh")

_PAYLOAD = re.compile(rb"(base64 -d > /var/lib/kfimage/payload\.tar <<'KF_END'\n)[A-Za-z0-9+/=\n]+(?=KF_END\n)")


class Case(NamedTuple):
    """One rendered tree: its plans, and its files as they stand under tests/golden/NAME."""

    name: str
    plans: list[Plan]
    pipeline: Pipeline
    artefacts: dict[str, Artefact]

    def files(self) -> dict[str, bytes]:
        payload = self.pipeline.renderer.payload
        known = [(payload.sha256.encode(), b"0" * 64), (payload.sha256[:16].encode(), b"0" * 16)]
        if self.name != "@".join(EMBEDDED):
            known += [(kit.catalog().read(path), f"({path} stands here)\n".encode()) for path in _PASTED]
        kept = [a for a in self.artefacts.values() if a.kind in ("kickstart", "netboot")]
        found = {a.path: _settled(a.content, known) for a in kept}
        entries = [Artefact(a.path, a.kind, found[a.path], a.mode, a.owner).entry() for a in kept]
        return {**found, "index.json": index(entries, {"site": self.pipeline.resolver.site_name})}


def _settled(content: bytes, known: list[tuple[bytes, bytes]]) -> bytes:
    content = _PAYLOAD.sub(rb"\1(the base64 of the tar that tests/golden/payload.txt lists)\n", content)
    for value, word in known:
        content = content.replace(value, word)
    return content


def _case(name: str, pipeline: Pipeline, roles: list[str]) -> Case:
    plans = pipeline.plans(roles)
    pipeline.raise_for()
    artefacts = {a.path: a for a in pipeline.artefacts(plans)}
    return Case(name, plans, pipeline, artefacts)


def role_site(role: str, release: str) -> str:
    """The site of a built-in role's golden tree: nothing but the release, and the boot server where the payload goes by URL."""
    boot = "" if (role, release) == EMBEDDED else "boot: {url: http://boot.example.org/kfimage}\n"
    return f"kfimage: 1\nsite: default\nrelease: {release}\n{boot}"


def names() -> list[str]:
    """Every golden tree there must be, found by listing the folders of roles and releases."""
    catalog = kit.catalog()
    return ["rack", *(f"{role}@{release}" for role in catalog.roles() for release in catalog.releases())]


def case(name: str) -> Case:
    if name == "rack":
        return _case(name, kit.pipeline((kit.SITES / "rack.yaml").read_bytes(), kit.SITES, file="rack.yaml"), [])
    role, _, release = name.partition("@")
    return _case(name, kit.pipeline(role_site(role, release)), [role])


def payload_listing(made: Case) -> bytes:
    """Every file of the payload with mode, size and sha256; the one golden that an edited first-boot script changes."""
    payload = made.pipeline.renderer.payload
    lines = [f"{mode:04o} {len(data):6} {hashlib.sha256(data).hexdigest()} /{path}" for path, (data, mode) in payload.files.items()]
    return "\n".join([*lines, f"{'tar':4} {len(payload.tar):6} {payload.sha256}", ""]).encode()


def summary(made: Case) -> bytes:
    """What the whole tree's proof said: id, number and severity of its findings, so that a new warning shows in review."""
    counts: dict[str, int] = {}
    for problem in made.pipeline.report:
        counts[f"{problem.id} {problem.severity}"] = counts.get(f"{problem.id} {problem.severity}", 0) + 1
    return (json.dumps(dict(sorted(counts.items())), indent=1) + "\n").encode()


def golden(name: str) -> dict[str, bytes]:
    """The files of one golden tree by path below tests/golden."""
    made = case(name)
    found = {f"{name}/{path}": data for path, data in made.files().items()}
    found[f"{name}/findings.json"] = summary(made)
    if name == "@".join(EMBEDDED):
        found["payload.txt"] = payload_listing(made)
    return found


def main() -> int:
    wanted: dict[str, bytes] = {}
    for name in names():
        wanted.update(golden(name))
    changed = 0
    for path in [p for p in GOLDEN.rglob("*") if p.is_file()]:
        key = path.relative_to(GOLDEN).as_posix()
        # messages/ belongs to test_messages.py.
        if not key.startswith("messages/") and key not in wanted:
            path.unlink()
            changed += 1
    for key, data in sorted(wanted.items()):
        path = GOLDEN / key
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            changed += 1
    import messages_tool

    changed += messages_tool.rewrite()
    sys.stderr.write(f"{changed} of {len(wanted)} golden files changed under {GOLDEN}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
