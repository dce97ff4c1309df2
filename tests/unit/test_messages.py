"""What a user reads: golden messages, every problem of a file in one run, and each message one line."""

from __future__ import annotations

import re
from pathlib import Path

import kit
import messages_tool
import pytest

CASES = sorted(messages_tool.MESSAGES.glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_the_messages_are_the_golden_ones(path: Path) -> None:
    assert messages_tool.told(path).decode() == path.with_suffix(".txt").read_text(), "run `make golden` and read the diff"


def test_every_golden_message_belongs_to_a_site() -> None:
    assert {p.stem for p in messages_tool.MESSAGES.glob("*.txt")} == {p.stem for p in CASES}
    assert CASES


def test_ten_faults_are_ten_located_problems_in_one_run() -> None:
    path = messages_tool.MESSAGES / "ten-faults.yaml"
    lines = path.read_text().splitlines()
    found = kit.pipeline(path.read_bytes())
    found.plans()
    errors = [p for p in found.report if p.severity == "error"]
    assert len(errors) == 10
    assert len({p.mark for p in errors}) == 10
    for problem in errors:
        quoted = re.search(r"'([^']+)'", problem.message)
        assert quoted
        here = lines[problem.mark.line - 1][problem.mark.column - 1 :]
        assert here.lstrip("\"'").startswith(quoted.group(1)), f"{problem} does not stand at {here!r}"
        assert problem.hint


def test_a_run_of_the_command_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_bytes((messages_tool.MESSAGES / "ten-faults.yaml").read_bytes())
    done = kit.run("render", "--site", "site.yaml", cwd=tmp_path)
    wanted = (messages_tool.MESSAGES / "ten-faults.txt").read_text().replace("ten-faults.yaml", "site.yaml")
    assert done.returncode == 1
    assert done.stdout == ""
    for line in wanted.splitlines():
        assert line in done.stderr
    assert "10 errors" in done.stderr and "nothing was written" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["site.yaml"]


HOSTILE_KEYS = ["a\nb", "a\r", "x\x1b[31m", "a\u2028b", "k" * 300, "%end", "a: b", "\u202e"]


@pytest.mark.parametrize("where", ["{}: 1", "time: {{{}: 1}}", "nodes: {{{}: {{role: cpu-worker}}}}", "roles: {{{}: {{}}}}\nnodes: {{a: {{role: x}}}}",
                                   "groups: {{{}: {{match: {{name: a}}}}}}", "nodes: {{a: {{role: {}}}}}", "nodes: {{a: {{role: cpu-worker, {}: 1}}}}",
                                   "files: {{{}: {{content: a}}}}", "{0}: 1\n{0}: 2", "nodes: {{a: {{role: cpu-worker, interfaces: {{{}: {{bond: b}}}}}}}}",
                                   "steps: [{}]", "release: {}", "tools: {{{}: 1}}", "repositories: {{{}: {{url: x}}}}"])
def test_no_key_or_name_can_break_a_message_into_lines(where: str) -> None:
    import json

    for key in HOSTILE_KEYS:
        text = kit.HEAD + where.format(json.dumps(key))
        found = kit.pipeline(text)
        found.plans()
        errors = [p for p in found.report if p.severity == "error"]
        assert errors, text
        for problem in errors:
            assert problem.message.isprintable() and len(problem.message) < 700, ascii(problem.message)
            assert problem.hint.isprintable(), ascii(problem.hint)


def test_tags_and_anchors_cannot_break_a_message_into_lines() -> None:
    for text in ("a: !x%0Ay b\n", "a: !<x%1b%5b31my> b\n", "a: *" + "n" * 300 + "\n", "%TAG ! tag:x,2000:%0A\n---\na: !b c\n"):
        found = kit.pipeline(text)
        assert found.report or found.resolver.report
        for problem in [*found.report, *found.resolver.report]:
            assert problem.message.isprintable() and len(problem.message) < 700, ascii(problem.message)


def test_every_error_of_the_site_says_what_to_do() -> None:
    for path in CASES:
        found = kit.pipeline(path.read_bytes(), messages_tool.MESSAGES)
        found.plans()
        for problem in found.report:
            assert problem.hint, str(problem)
            assert problem.mark.file
            if problem.severity == "error":
                assert problem.mark.line and problem.mark.column, str(problem)
