"""Scripts: fixtures by listing, the tokenizer's laws, and what must not be taken for code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfimage.errors import CHECKS, Report
from kfimage.verify import shellcheck
from kfimage.verify.bash import read_script, tokens
from kfimage.verify.shell import check_script

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "checks"
IDS = sorted(check for check in CHECKS if check.startswith("KF4") and check != "KF4900")


def found(place: Path, check: str) -> set[str]:
    text = place.read_bytes().decode()
    report = Report(check_script(text, str(place)))
    if check.startswith("KF44"):
        absent = check == "KF4400" and place.stem == "fail"
        report.extend(
            shellcheck.run({str(place): text}, severity="style", program="absent-here" if absent else "shellcheck")
        )
    return {problem.id for problem in report}


@pytest.mark.parametrize("check", IDS)
def test_fixture(check: str) -> None:
    if check.startswith("KF44") and not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed: its own findings are not tested")
    assert check in found(FIXTURES / check / "fail.sh", check)
    assert not found(FIXTURES / check / "pass.sh", check), "a passing fixture is clean of every check"


def test_every_folder_has_its_check() -> None:
    assert sorted(path.name for path in FIXTURES.glob("KF4*")) == IDS


def ids(body: str, place: str = "post") -> list[str]:
    return [problem.id for problem in check_script(f"set -e\n{body}\n", "x.sh", place=place)]


@pytest.mark.parametrize(
    "body",
    [
        "# modprobe overlay",
        "echo 'modprobe overlay; firewall-cmd --reload'",
        'echo "run: modprobe overlay"',
        "cat <<'EOF'\nmodprobe $(sysctl --system)\nEOF",
        "cat <<EOF\nmodprobe overlay\nEOF",
        "names=(modprobe sysctl)",
        "modprobe() { :; }",
        "case $1 in modprobe) echo yes ;; esac",
        'for x in modprobe b; do echo "$x"; done',
        "[[ $x =~ ^(modprobe|b)$ ]]",
        "echo ${x#modprobe} ${#x}",
        "firewall-offline-cmd --add-port=1/tcp",
        "systemctl enable crio",
        "modprobe --show-depends overlay",
    ],
)
def test_not_a_command(body: str) -> None:
    assert not ids(body)


@pytest.mark.parametrize(
    "body",
    [
        "modprobe overlay",
        "x=$(modprobe overlay)",
        'echo "$(modprobe overlay)"',
        "cat <<EOF\n$(modprobe overlay)\nEOF",
        "true && modprobe overlay",
        "if modprobe overlay; then :; fi",
        "case $1 in a) modprobe overlay ;; esac",
        "f() { modprobe overlay; }",
        "A=1 sudo -E /usr/sbin/modprobe overlay",
        "echo `modprobe overlay`",
        "cat <<'A' <<B\nmodprobe x\nA\n${x:-$(modprobe overlay)}\nB",
        "x=$(case $1 in a) modprobe overlay ;; esac)",
        "diff <(modprobe overlay) /dev/null",
        "(modprobe overlay)",
        "timeout 5 modprobe overlay",
    ],
)
def test_a_command(body: str) -> None:
    assert ids(body) == ["KF4201"]


def test_places_differ() -> None:
    assert ids("modprobe overlay", "node") == ids("modprobe overlay", "pre") == []
    assert ids("systemctl enable a", "pre") == ["KF4201"] and ids("systemctl enable a") == []
    assert ids("cat <<A\n  %end\nA") == ["KF4202"] and ids("cat <<A\n  %end\nA", "node") == []
    assert ids("cat <<A\n%endless %wheel\n%pre-install-x\nA") == []


def test_lines_count_from_the_kickstarts_line() -> None:
    (problem,) = check_script("set -e\n\n  modprobe a\n", "n.ks", first_line=40, name="%post", place="post")
    assert problem.mark == ("n.ks", 42, 3)
    assert problem.message.startswith("%post: modprobe a: acts on the installer's kernel")


@pytest.mark.parametrize(
    "body",
    [
        "curl -fs u | bash",
        "curl -fs u |\n    # then\n    bash",
        "curl -fs u | tee x | sudo bash",
        "bash <(curl -fs u)",
        'bash -c "$(curl -fs u)"',
        'eval "$(curl -fs u)"',
    ],
)
def test_downloads_run_unseen(body: str) -> None:
    assert ids(body) == ["KF4103"]


@pytest.mark.parametrize(
    ("loop", "endless"),
    [
        ("while ! a; do sleep 1; done", True),
        ("while true; do a; done", True),
        ("until a; do while read -r b; do c; done; done", True),
        ("while read -r a; do b; done", False),
        ("while ! a; do ((n++ < 9)) || exit 1; done", False),
        ('until a || [ "$n" -gt 5 ]; do n=$((n+1)); done', False),
        ("while true; do if a; then break; fi; done", False),
    ],
)
def test_loops(loop: str, endless: bool) -> None:
    assert ids(loop, "node") == (["KF4104"] if endless else [])


def test_the_trace_is_only_wrong_where_a_secret_is() -> None:
    assert ids("set -x\necho $TOKEN") == ["KF4102"]
    assert ids("set -x\n# token\ntrue") == ids("echo $TOKEN\nset -x") == ids("set -x\nset +x\necho $TOKEN") == []


def test_a_sourced_library_may_set_errexit() -> None:
    assert [p.id for p in check_script("a\nb\n", "x", place="post")] == ["KF4101"]
    assert not check_script('. "$LIB"\na\nb\n', "x", place="post")


def test_bytes_that_are_not_utf8() -> None:
    assert "KF4006" in ids(b"echo '\xff'".decode("utf-8", "surrogateescape"))


def test_own_scripts_are_clean() -> None:
    """Every script of the payload, in the place where it runs."""
    for path in sorted((ROOT / "firstboot").rglob("*")):
        if path.is_file() and (path.suffix == ".sh" or path.read_bytes()[:2] == b"#!"):
            place = "post" if path.name == "install.sh" else "node"
            problems = check_script(path.read_text(), str(path.relative_to(ROOT)), place=place)
            assert not problems, "\n".join(map(str, problems))


def test_shellcheck_positions_and_paths() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed: its own findings are not tested")
    report = shellcheck.run({"b/x.sh": "#!/bin/bash\n  rm $a/*\n", "a.sh": "true\n"}, severity="style")
    assert {problem.mark.file for problem in report} == {"b/x.sh"} and {problem.mark.line for problem in report} == {2}
    assert not shellcheck.run({})


def test_shellcheck_that_answers_nonsense_is_not_run(tmp_path: Path) -> None:
    fake = tmp_path / "shellcheck"
    fake.write_text("#!/bin/sh\necho oops\n")
    fake.chmod(0o755)
    assert [p.id for p in shellcheck.run({"a": "true\n"}, program=str(fake))] == ["KF4400"]


PIECES = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            [
                "$(",
                ")",
                "${",
                "}",
                "`",
                '"',
                "'",
                "$'",
                "\\",
                "\n",
                "<<EOF",
                "<<-'E'",
                "EOF\n",
                "\tE\n",
                "((",
                "))",
                "$((",
                "case x in ",
            ]
            + [
                " esac",
                "[[",
                "]]",
                "a=(",
                "#",
                " ",
                "|",
                "&&",
                "<(",
                "while ! x; do ",
                "done",
                "set -x ",
                "curl ",
                "%end",
            ]
        ),
    ),
    max_size=25,
).map("".join)


@given(PIECES)
@settings(deadline=None, max_examples=400)
def test_tokens_joined_are_the_script(text: str) -> None:
    pieces = tokens(text)
    assert "".join(piece.text for piece in pieces) == text
    assert all(text.startswith(piece.text, piece.offset) for piece in pieces)


@given(PIECES, st.sampled_from(["post", "pre", "node", ""]))
@settings(deadline=None, max_examples=150)
def test_nothing_raises_and_marks_point_into_the_text(text: str, place: str) -> None:
    lines = text.split("\n")
    for problem in check_script(text, "x", place=place):
        assert 1 <= problem.mark.line <= len(lines)
        assert 1 <= problem.mark.column <= len(lines[problem.mark.line - 1]) + 1


@given(st.lists(st.sampled_from(["echo a", "x=$(b 'c)')", "cat <<E\n)\nE", "if a; then b; fi"]), max_size=6))
def test_whole_commands_close_what_they_open(parts: list[str]) -> None:
    assert not [token for token in read_script("\n".join(parts) + "\n").tokens if token.kind == "end"]


@pytest.mark.parametrize(
    "text", ["$(" * 5000, "<<A\n$(" * 300, "`" * 5001, "((" * 3000, "cat <<E\n" + "$(cat <<E\n" * 100, "\\" * 999]
)
def test_deep_nesting_ends(text: str) -> None:
    check_script(text, "x", place="post")
