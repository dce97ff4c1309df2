"""Write the key tables of man/kfimage-site.5.md from the grammar itself; `--check` only says whether they are up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from kfimage.grammar import Spec, specs
from kfimage.model import GroupLayer, Layer, NodeLayer, NodesFrom, RoleLayer, SiteFile

PAGE = Path(__file__).resolve().parent.parent / "man" / "kfimage-site.5.md"
BEGIN, END = "<!-- keys: made by scripts/reference.py -->\n", "<!-- end of keys -->\n"


def takes(spec: Spec) -> str:
    """What a key takes, in words."""
    if isinstance(spec.of, type):
        word = "mapping"
    elif "enum" in spec.of.schema:
        word = " or ".join(f"`{w}`" for w in spec.of.schema["enum"])
    else:
        word = spec.of.name
    if spec.shape == "table":
        assert spec.key is not None
        return f"{spec.key.name}: {word}"
    return f"{word}, or a list" if spec.shape == "list" else word


def rows(cls: type, path: str, done: set[str]) -> list[str]:
    found = []
    for key, spec in specs(cls).items():
        where = f"{path}.{key}" if path else key
        needed = " **needed**" if spec.required else ""
        found.append(f"| `{where}` | {takes(spec)} | {spec.doc}{needed} |")
        if isinstance(spec.of, type) and not issubclass(spec.of, Layer):
            below = f"{where}.NAME" if spec.shape == "table" else where
            found += rows(spec.of, below, done)
    return found


def table(title: str, cls: type, without: type | None = None, path: str = "") -> str:
    hidden = set(specs(without)) if without else set()
    lines = [row for row in rows(cls, path, set()) if row.split("`")[1].removeprefix(f"{path}.").split(".")[0] not in hidden]
    return f"### {title}\n\n| key | takes | what it is |\n|---|---|---|\n" + "\n".join(lines) + "\n\n"


def tables() -> str:
    return (
        table("Top of the file", SiteFile, Layer)
        + table("Every layer: site, role, group and node", Layer)
        + table("Nodes", NodeLayer, Layer, "nodes.NAME")
        + table("Groups", GroupLayer, Layer, "groups.NAME")
        + table("Roles", RoleLayer, Layer, "roles.NAME")
        + table("CSV of nodes", NodesFrom, None, "nodes_from")
    )


def page(text: str) -> str:
    """The page with its tables made anew."""
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + "\n" + tables() + END + rest.partition(END)[2]


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    wanted = page(text)
    if "--check" in sys.argv:
        return int(text != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
