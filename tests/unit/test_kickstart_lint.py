"""The kickstart lint: each check's fixtures, places, and that no text can make it raise."""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kfimage.errors import CHECKS, ERROR, Report
from kfimage.verify.kickstart import Parsed, check_kickstart, parse

FIXTURES = Path(__file__).resolve().parent.parent / "checks"
IDS = sorted(path.name for path in FIXTURES.glob("KF2*") if path.is_dir())
EXPECTED = re.compile(r"(KF2\d{3}) expected (?:on (the next line|line (\d+))|for the file as a whole)")

STORAGE = """\
ignoredisk --only-use=/dev/disk/by-id/wwn-0x5000c500a1b2c3d4
zerombr
clearpart --all --initlabel
part /boot/efi --fstype=efi --size=600
part /boot --fstype=xfs --size=1024
part / --fstype=xfs --size=20480 --grow
"""
GOOD = """\
#version=RHEL8
cmdline
lang en_US.UTF-8
keyboard --vckeymap=us --xlayouts='us'
timezone Europe/Berlin --utc --ntpservers=10.20.0.1,ntp.lab.example.org
url --url=http://10.20.0.5/rhel-8.7/BaseOS
repo --name=appstream --baseurl=http://10.20.0.5/rhel-8.7/AppStream
network --bootproto=static --device=bond0 --bondslaves=eno1,eno2 --bondopts=mode=802.3ad,miimon=100 \
--mtu=9000 --ip=10.20.1.11 --netmask=255.255.255.0 --gateway=10.20.1.1 --nameserver=10.20.0.1 --hostname=gpu-a01
network --bootproto=static --device=bond0 --vlanid=120 --interfacename=bond0.120 --ip=10.20.2.11 --netmask=255.255.255.0
rootpw --lock
user --name=ops --groups=wheel
sshkey --username=ops "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICv5iQ7m4p0N3m0hXk8b3h5r9n1u2w3x4y5z6A7B8C9D ops@lab"
selinux --permissive
firewall --enabled --port=10250:tcp,30000-32767:tcp --service=ssh
services --enabled=chronyd,firewalld,NetworkManager-wait-online
firstboot --disable
bootloader --append="console=tty0 console=ttyS0,115200 rd.driver.blacklist=nouveau"
logging --host=10.20.0.6
%include /tmp/kfimage-storage.ks
reboot

%pre --erroronfail --interpreter=/bin/bash --log=/tmp/kfimage-pre.log
trap 'echo "kfimage: %pre failed in line $LINENO" >/dev/console' ERR
set -euo pipefail
cat >/tmp/kfimage-storage.ks <<KS
zerombr
ignoredisk --only-use=${disk:-sda}
clearpart --all --initlabel
part / --size=20480 --grow
KS
%end

%packages --excludedocs
@^minimal-environment
chrony
-iwl*-firmware
%end

%addon com_redhat_kdump --disable
%end

%post --erroronfail --interpreter=/bin/bash --log=/root/kfimage-post.log
set -euo pipefail
trap 'echo "kfimage: %post failed in line $LINENO" >/dev/console' ERR
base64 -d <<'KFIMAGE' | tar -xzf - -C /
H4sIAAAAAAAAA+3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA
KFIMAGE
restorecon -RF /usr/local /opt /etc/kfimage
%end
"""


def read(name: str, kind: str) -> str:
    return (FIXTURES / name / f"{kind}.ks").read_bytes().decode()


def lines_of(report: Report, name: str) -> list[int]:
    return [problem.mark.line for problem in report if problem.id == name]


def expected_line(text: str, name: str) -> int:
    """Where a failing fixture says its fault is; 0 is the file as a whole."""
    for number, line in enumerate(text.split("\n"), 1):
        found = EXPECTED.search(line)
        if found and found.group(1) == name:
            if found.group(3):
                return int(found.group(3))
            return number + 1 if found.group(2) else 0
    raise AssertionError(f"{name}/fail.ks does not say which line is wrong")


def test_fixtures_and_checks_are_the_same_set() -> None:
    assert sorted(name for name in CHECKS if name.startswith("KF2") and name != "KF2900") == IDS


@pytest.mark.parametrize("name", IDS)
def test_failing_fixture_is_found_in_its_line(name: str) -> None:
    text = read(name, "fail")
    assert expected_line(text, name) in lines_of(check_kickstart(text, "fail.ks"), name)


@pytest.mark.parametrize("name", IDS)
def test_passing_fixture_has_no_error_and_not_this_id(name: str) -> None:
    problems = list(check_kickstart(read(name, "pass"), "pass.ks"))
    assert [str(p) for p in problems if p.severity == ERROR or p.id == name] == []


@pytest.mark.parametrize("name", IDS)
def test_every_check_explains_itself(name: str) -> None:
    check = CHECKS[name]
    assert check.title and check.why and check.fix and check.source
    assert not check.title.endswith(".") and check.severity in ("error", "warning", "note")


def test_a_careful_kickstart_gives_an_empty_report() -> None:
    assert [str(problem) for problem in check_kickstart(GOOD, "good.ks")] == []


def test_the_same_with_storage_in_the_file_is_empty_too() -> None:
    text = GOOD.replace("%include /tmp/kfimage-storage.ks\n", STORAGE)
    assert [str(problem) for problem in check_kickstart(text, "good.ks")] == []


def test_storage_that_a_pre_writes_is_not_called_missing() -> None:
    report = check_kickstart(GOOD, "good.ks")
    assert not any(problem.id.startswith("KF22") for problem in report)


def test_the_view_maps_every_script_line_back() -> None:
    parsed, report = parse(GOOD, "good.ks")
    assert not report
    lines = GOOD.split("\n")
    for section in parsed.sections:
        assert lines[section.line - 1].startswith(section.name)
        for number, text in section.lines[:-1]:
            assert lines[number - 1] == text
    assert [name for name, _ in parsed.includes] == ["/tmp/kfimage-storage.ks"]
    assert parsed.handler.bootloader.appendLine.startswith("console=tty0")
    assert [c.line for c in parsed.commands] == sorted(c.line for c in parsed.commands)
    post = parsed.section("%post")[0]
    assert post.in_chroot and post.is_shell and post.interpreter == "/bin/bash"
    assert not any("H4sI" in text for _, text in post.code)


def test_handlers_do_not_remember_the_file_before() -> None:
    """Copies share their argument parsers: what is understood must equal what a new handler understands."""
    fresh = importlib.import_module("pykickstart.handlers.rhel8").RHEL8Handler()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the VLAN line, see kickstart.py
        reader = importlib.import_module("pykickstart.parser").KickstartParser(fresh, followIncludes=False)
        reader.readKickstartFromString(GOOD)
    for _ in range(3):
        parsed, _report = parse(GOOD.replace("gpu-a01", "other").replace("10250", "6443"), "a.ks")
        again, _report = parse(GOOD, "b.ks")
        assert str(again.handler) == str(fresh) != str(parsed.handler)
        assert len(again.handler.scripts) == 2


def test_checking_leaves_no_trace_in_the_process(capfd: pytest.CaptureFixture[str]) -> None:
    paths, filters, show = list(sys.path), list(warnings.filters), warnings.showwarning
    check_kickstart("frob\ninstall\nlang '\n%post\n", "bad.ks")
    assert (sys.path, list(warnings.filters), warnings.showwarning) == (paths, filters, show)
    assert capfd.readouterr() == ("", "")


def test_all_faults_of_a_file_come_in_one_run() -> None:
    text = "lang 'a\nfrob\nrootpw\n%nosuch\nx\n%end\n%packages\n-\n%end\n%post\necho \"\n"
    assert lines_of(check_kickstart(text, "bad.ks"), "KF2001") == [1, 2, 3, 4, 8]
    assert lines_of(check_kickstart(text, "bad.ks"), "KF2014") == [10]


@pytest.mark.parametrize("line", ["raid / --level=9 --device=md0 raid.1 raid.2", "autopart --type=zfs", "frob"])
def test_a_parse_error_keeps_its_line_when_parsers_are_shared(line: str) -> None:
    for before in (1, 7):
        text = "# remark\n" * before + line + "\nlang en_US.UTF-8\n"
        assert lines_of(check_kickstart(text, "bad.ks"), "KF2001") == [before + 1]


@given(before=st.integers(0, 40), quote=st.sampled_from(["'", '"']), word=st.text("abc =-", max_size=8))
@settings(deadline=None, max_examples=40)
def test_an_open_quote_is_reported_in_its_own_line(before: int, quote: str, word: str) -> None:
    text = "# remark\n" * before + f"lang {quote}{word}\nselinux --permissive\n"
    assert lines_of(check_kickstart(text, "quote.ks"), "KF2001") == [before + 1]


def test_lines_count_as_an_editor_counts_them() -> None:
    text = "lang en_US\u2028.UTF-8\n\x0c\nfrob\n"
    assert 3 in lines_of(check_kickstart(text, "breaks.ks"), "KF2001")


def test_a_rejected_secret_is_not_quoted() -> None:
    for line in (
        "rootpw --iscrypted $6$a$b hunter2",
        "user --name=a --password=hunter2 hunter2",
        "rootpw --frob=hunter2",
    ):
        said = " ".join(str(problem) for problem in check_kickstart(f"{line}\n", "s.ks"))
        assert "hunter2" not in said


@pytest.mark.parametrize("handler", ["RHEL9", "F40"])
def test_another_release_can_be_asked_for(handler: str) -> None:
    parsed, report = parse("timesource --ntp-server=10.20.0.1\n", "other.ks", handler)
    assert not report and parsed.handler.version


def test_an_unknown_handler_is_named() -> None:
    with pytest.raises(ValueError, match="RHEL99"):
        parse("", "x.ks", "RHEL99")


FRAGMENTS = [
    *("%end\n", "%post\n", "%packages\n", "%include", "%include /tmp/x\n", "%pre --log=", "%addon\n", "%anaconda\n"),
    *("<<EOF\n", "EOF\n", "'", '"', "#", "\\", "\n", "\r\n", "\0", "\u2028", "\ufeff", "{{ x }}", "-\n", "@\n", "''\n"),
    *(
        "network --ip=",
        "part / --size=",
        "--size",
        "raid x ",
        "logvol / ",
        "rootpw --iscrypted ",
        "sshkey --username=a ",
    ),
    *(
        "url --url=http://[",
        "timezone ",
        "keyboard ",
        "firewall --port=",
        "services --enabled=",
        "user --uid=9 --name=",
    ),
    *("%certificate\n", "%ksappend\n", "bootloader --append=\"'", "clearpart --drives=", "\u3000", "$6$", "--=", "=="),
]


@given(st.text())
@settings(deadline=None, max_examples=150)
@example("''\n")
@example("%packages\n-\n%end\n")
@example("%post\n%end # don't\n")
@example("url --url=http://[\n")
@example("timezone ../../etc/passwd\n")
@example("network --ipv6=1/2/3 --netmask=0.0.0.0 --ip=1.2.3.4\n")
def test_no_text_makes_it_raise(text: str) -> None:
    assert isinstance(check_kickstart(text, "any.ks"), Report)


@st.composite
def mutations(draw: Any) -> str:
    """A good kickstart with a few pieces put in, taken out or doubled."""
    text = GOOD
    for _ in range(draw(st.integers(1, 5))):
        at, size = draw(st.integers(0, len(text))), draw(st.integers(0, 60))
        piece = draw(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=6)))
        text = text[:at] + piece + text[at + draw(st.sampled_from([0, size])) :]
    return text


@given(mutations())
@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
def test_no_damage_to_a_good_kickstart_makes_it_raise(text: str) -> None:
    last = text.count("\n") + 2
    for problem in check_kickstart(text, "any.ks"):
        assert 0 <= problem.mark.line <= last


def refused(text: str) -> bool:
    """Whether pykickstart, used as its manual says, refuses the text."""
    handler = importlib.import_module("pykickstart.handlers.rhel8").RHEL8Handler()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reader = importlib.import_module("pykickstart.parser").KickstartParser(handler, followIncludes=False)
            reader.readKickstartFromString(text)
        except Exception:
            return True
    return False


@given(mutations())
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_what_pykickstart_refuses_is_an_error_and_nothing_else_is_unreadable(text: str) -> None:
    found = {problem.id for problem in check_kickstart(text, "any.ks")}
    if refused(text):
        assert found & {"KF2001", "KF2007", "KF2013", "KF2014", "KF2015"}
    else:
        assert not found & {"KF2001", "KF2014"}


def test_long_hostile_text_is_read_in_linear_time() -> None:
    """A here-document opened in every line once cost n squared."""
    text = "%post\n" + "cat <<A\n<<B\n" * 4000 + "%end\n"
    parsed, _ = parse(text, "long.ks")
    assert isinstance(parsed, Parsed) and len(parsed.sections[0].code) >= 4000
