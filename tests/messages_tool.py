"""The golden messages: each tests/golden/messages/NAME.yaml and, in NAME.txt beside it, every problem that one run tells."""

from __future__ import annotations

from pathlib import Path

import kit

MESSAGES = Path(__file__).resolve().parent / "golden" / "messages"


def told(path: Path) -> bytes:
    """What a run over this file says, as a person reads it on stderr."""
    found = kit.pipeline(path.read_bytes(), MESSAGES, file=path.name)
    found.plans()
    return "".join(f"{p}\n" for p in found.report if p.severity == "error").encode()


def rewrite() -> int:
    changed = 0
    for path in sorted(MESSAGES.glob("*.yaml")):
        text = path.with_suffix(".txt")
        data = told(path)
        if not text.is_file() or text.read_bytes() != data:
            text.write_bytes(data)
            changed += 1
    return changed
