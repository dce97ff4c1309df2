"""Every check has a file that it finds and one that it does not: tests/checks/ID/{fail,pass}*, through `check` itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Optional

import pytest

from kfimage.artefact import Artefact
from kfimage.assets import Folder, builtin
from kfimage.catalog import Catalog
from kfimage.cli.check import examine
from kfimage.cli.checks import load_all
from kfimage.errors import CHECKS, Exit, KfimageError, Report
from kfimage.pipeline import Pipeline
from kfimage.sinks.secrets import Secrets
from kfimage.sitefile import read_site
from kfimage.verify import kickstart, meaning

CHECKED = Path(__file__).resolve().parents[1] / "checks"
NO_FILE = {
    "KF2900": "only a rendered kickstart has a plan to be compared with: test_a_kickstart_that_means_something_else",
    "KF4900": "found when a step of a site's own is rendered: test_a_step_that_needs_a_fact_nobody_writes",
    "KF5003": "found when render fills a waived secret in: test_secrets_that_render_refuses_to_fill_in",
    "KF5004": "found when render fills a waived secret in: test_secrets_that_render_refuses_to_fill_in",
    "KF5010": "found when render has a secret to look for: test_a_secret_in_a_file_is_found",
    "KF7501": "said of a site by an export: test_a_waived_secret_is_refused_where_it_is_waived",
    "KF7502": "said of a site by an export: test_formats_that_name_an_address_need_one",
    "KF7503": "said of a rendered kickstart by an export: test_text_without_an_escape_is_refused_with_file_and_line",
    "KF9001": "said of command lines, not of files: test_wrong_use_is_told",
}
"""Checks that no file can show, why, and the test that does."""
FINALIZE = "KF96"
"""Checks of streams and clusters have their own table: tests/finalize/test_lint.py."""


def fixtures(kind: str) -> list[Path]:
    found = [p for folder in sorted(CHECKED.iterdir()) if folder.is_dir() for p in sorted(folder.glob(f"{kind}*"))]
    assert found, CHECKED
    return found


def ids(path: Path) -> set[str]:
    return {problem.id for problem in examine([str(path)]).report}


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.name}"


@pytest.fixture(autouse=True)
def shellcheck(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """KF4400 is about its absence, the others of its family about what it says; the rest of the fixtures need not wait for it."""
    name = request.node.name
    if "KF44" not in name or "KF4400-fail" in name:
        monkeypatch.setenv("PATH", str(tmp_path))
    elif shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not here, so nothing of what it finds can be shown")


@pytest.mark.parametrize("path", fixtures("fail"), ids=named)
def test_the_failing_file_has_the_finding(path: Path) -> None:
    assert path.parent.name in ids(path)


@pytest.mark.parametrize("path", fixtures("pass"), ids=named)
def test_the_passing_file_has_not(path: Path) -> None:
    assert path.parent.name not in ids(path)


def test_every_check_has_both_and_every_folder_a_check() -> None:
    load_all()
    folders = {f.name for f in CHECKED.iterdir() if f.is_dir()}
    without = sorted(i for i in set(CHECKS) - set(NO_FILE) - folders if not i.startswith(FINALIZE))
    assert not without, f"write tests/checks/ID/{{fail,pass}}.EXT for these, or say in NO_FILE which test shows them: {without}"
    assert not folders - set(CHECKS) and not folders & set(NO_FILE)
    for kind in ("fail", "pass"):
        assert {p.parent.name for p in fixtures(kind)} == folders


def test_checks_say_what_why_and_what_to_do() -> None:
    load_all()
    for check in CHECKS.values():
        assert check.severity in ("error", "warning", "note") and check.title and check.why and check.fix, check.id


# -- what no file can show -------------------------------------------------------------------------------------------


def site(text: str, folder: Path) -> Pipeline:
    report = Report()
    here = Folder(folder)
    return Pipeline(read_site(text.encode(), "site.yaml", here, report), Catalog(builtin(), here), report)


def test_a_kickstart_that_means_something_else(tmp_path: Path) -> None:
    pipeline = site("kfimage: 1\nsite: lab\n", tmp_path)
    (plan,) = pipeline.plans(["cpu-worker"])
    text = "".join(p.text for p in pipeline.renderer.pieces(plan))
    for wanted, line in ((set(), "selinux --permissive\n"), ({"KF2900"}, "selinux --enforcing\n")):
        parsed, _ = kickstart.parse(text.replace("selinux --permissive\n", line), "x.ks", plan.release.pykickstart)
        report = Report()
        meaning.compare(parsed.handler, plan, "x.ks", report)
        assert {p.id for p in report} == wanted


def test_a_step_that_needs_a_fact_nobody_writes(tmp_path: Path) -> None:
    step = tmp_path / "firstboot/steps/odd"
    step.mkdir(parents=True)
    (step / "step.yaml").write_text("title: odd\nacts: nowhere\nwhy: for this test\nneeds: [KF_NOBODY_WRITES_THIS]\n")
    pipeline = site("kfimage: 1\nsite: lab\nroles: {odd: {steps: [odd]}}\n", tmp_path)
    list(pipeline.artefacts(pipeline.plans(["odd"])))
    assert [p.message for p in pipeline.report if p.id == "KF4900"] == [
        "step 'odd' needs KF_NOBODY_WRITES_THIS, and no such fact is written"
    ]


def secrets_of(text: str, folder: Path) -> tuple[Secrets, str]:
    (plan,) = site(text, folder).plans(["cpu-worker"])
    return Secrets([plan], folder), plan.name


@pytest.mark.parametrize(("data", "check"), [(None, "KF5003"), (b"hunter2hunter2\n", "KF5004"), (b"$6$salt$" + b"x" * 86 + b"\n", "")])
def test_secrets_that_render_refuses_to_fill_in(data: Optional[bytes], check: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / "hash").write_bytes(data)
    secrets, owner = secrets_of("kfimage: 1\nsite: lab\naccess: {password: {file: hash}}\nwaive: [access.password]\n", tmp_path)
    filled = secrets.fill(Artefact("kickstart/x.ks", "kickstart", b"user --password=@kfimage:plain:access.password@\n", 0o644, owner))
    assert {p.id for p in secrets.report} == ({check} if check else set())
    assert b"hunter2" not in filled.content
    assert (data or b"-").strip() in filled.content or check


def test_a_secret_in_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_bytes(b'{"auths": {"registry.lab": {"auth": "b3BzOm5vdC1hLXNlY3JldA=="}}}\n')
    secrets, owner = secrets_of("kfimage: 1\nsite: lab\ncrio: {pull_credentials: {file: auth.json}}\n", tmp_path)
    secrets.prove(
        [
            Artefact("kickstart/x.ks", "kickstart", (tmp_path / "auth.json").read_bytes(), 0o644, owner),
            Artefact("netboot/x", "netboot", b"x"),
        ]
    )
    assert [(p.id, p.mark.file) for p in secrets.report] == [("KF5010", "kickstart/x.ks")]


def test_wrong_use_is_told(tmp_path: Path) -> None:
    with pytest.raises(KfimageError) as raised:
        examine([str(tmp_path / "nothing")])
    assert raised.value.code is Exit.USAGE
    assert [p.id for p in raised.value.report] == ["KF9001"]
