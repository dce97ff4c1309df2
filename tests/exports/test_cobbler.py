"""What `render --format cobbler` writes: templates that give back each node's kickstart, and scripts that hold."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports import as_cobbler
from exports.sites import RACK, exported, rack, refused
from kfimage.exports.cobbler.bundle import System
from kfimage.exports.made import Kickstart, template_name
from kfimage.exports.merge import Template, filled, merge

FORMS = ["cobbler", pytest.param("cobbler-cheetah", marks=pytest.mark.skipif(
    importlib.util.find_spec("Cheetah") is None, reason="NOT TESTED: Cheetah is not installed; pip install CT3==3.4.0.post5"))]


def systems(form: str) -> dict[str, dict[str, object]]:
    bundle = json.loads(rack(form)[0]["cobbler/bundle.json"].content)
    return {system["name"]: {**system, "profile": profile} for profile in bundle["profiles"] for system in profile["systems"]}


@pytest.mark.parametrize("form", FORMS)
def test_engine_and_host_data_give_each_node_its_kickstart(form: str) -> None:
    files, _ = rack(form)
    found = systems(form)
    assert len(found) == 12
    for name, system in found.items():
        wanted = files[f"kickstart/{name}.ks"].content.decode()
        template = files[f"cobbler/templates/{system['profile']['autoinstall']}"].content.decode()  # type: ignore[index]
        static = files[f"cobbler/templates/{system['static_autoinstall']}"].content.decode()
        assert as_cobbler.render(template, system["autoinstall_meta"]) == wanted, name  # type: ignore[arg-type]
        assert as_cobbler.render(static, {}) == wanted, name


def test_a_system_without_host_data_gets_no_half_kickstart() -> None:
    """Cobbler answers the engine's error with a comment, which Anaconda does not install."""
    import jinja2

    template = rack("cobbler")[0]["cobbler/templates/kfimage/gpu-worker-rhel-8.7.ks"].content.decode()
    with pytest.raises(jinja2.UndefinedError):
        as_cobbler.render(template, {})


def test_the_kickstart_is_the_proven_one_with_the_loop_breaker_last() -> None:
    import kit

    files, _ = rack("cobbler")
    tree = kit.tree(RACK, kit.SITES)
    for name in systems("cobbler"):
        text = files[f"kickstart/{name}.ks"].content.decode()
        plain = tree[f"kickstart/{name}.ks"].content.decode()
        assert text.startswith(plain) and text[len(plain) :].startswith("\n%post --interpreter=/bin/bash --erroronfail ")
        assert "nopxe/system" in text[len(plain) :] and text.endswith("%end\n")


def test_host_data_is_small_and_says_what_differs() -> None:
    meta = {name: system["autoinstall_meta"] for name, system in systems("cobbler").items()}
    assert meta["gpu-a1"]["kf_hostname"] == "gpu-a1.lab.example.org" and meta["gpu-a1"]["kf_ip"] == "10.20.1.31"  # type: ignore[index]
    assert meta["gpu-b3"]["kf_disk_encrypt"] == "tpm2" and meta["gpu-b1"]["kf_disk_encrypt"] == "none"  # type: ignore[index]
    assert not [value for found in meta.values() for value in found.values() if "\n" in value or len(value) > 400]  # type: ignore[attr-defined]
    by_profile = {template_name(one.plan): set(meta[one.plan.name]) for one in rack("cobbler")[1].kickstarts()}  # type: ignore[call-overload]
    assert all(set(meta[one.plan.name]) == by_profile[template_name(one.plan)] for one in rack("cobbler")[1].kickstarts())  # type: ignore[call-overload]


# -- the merge --------------------------------------------------------------------------------------------------------


def given_back(kickstarts: list[Kickstart]) -> Template:
    template = merge(kickstarts)
    for one in kickstarts:
        assert filled(template.parts(), template.values[one.plan.name]) == one.text, one.plan.name
        assert set(template.values[one.plan.name]) == set(next(iter(template.values.values())))
    return template


def test_any_nodes_merge_even_of_different_roles() -> None:
    every = list(rack("cobbler")[1].kickstarts())
    given_back(every)
    for one in every:
        given_back([one])
    assert merge(every[:1]).values.keys() == {every[0].plan.name}


_LINES = st.lists(st.sampled_from(["same line\n", "fi\n", "\n", 'KF_A="1"\n', 'KF_A="2"\n', 'KF_B="x"\n', "other line\n", "10.20.1.31 gpu-a1\n", "third line\n"]), max_size=30)


@given(texts=st.lists(st.tuples(_LINES, _LINES), min_size=1, max_size=12))
def test_a_template_gives_back_every_text_it_was_made_from(texts: list[tuple[list[str], list[str]]]) -> None:
    """Whatever the sections hold, and wherever they differ."""
    from dataclasses import replace

    made = []
    for one, (own, common) in zip(rack("cobbler")[1].kickstarts(), texts):
        pieces = (replace(one.pieces[0], text="".join(own)), replace(one.pieces[1], text="".join(common)), *one.pieces[-1:])
        made.append(Kickstart(one.plan, pieces))
    given_back(made)


def test_two_values_of_one_name_do_not_meet() -> None:
    """A fact that differs in the disk script and, otherwise, in facts.env has two names."""
    from dataclasses import replace

    first, second = list(rack("cobbler")[1].kickstarts())[5:7]
    made = [
        Kickstart(one.plan, (replace(one.pieces[0], text=f'KF_X="{a}"\n'), replace(one.pieces[1], text=f'KF_X="{b}"\n')))
        for one, a, b in ((first, 1, 3), (second, 2, 4))
    ]
    assert set(given_back(made).values[first.plan.name]) >= {"kf_x", "kf_x_2"}


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["cobbler", "cobbler-cheetah"])
@pytest.mark.parametrize(("content", "token"), [("echo @@server@@", "@@server@@"), ("a @@@@ b", "@@@@")])
def test_text_without_an_escape_is_refused_with_file_and_line(form: str, content: str, token: str) -> None:
    site = RACK.replace("export LAB=rack\\n", f"first\\n{content}\\n")
    assert site != RACK
    found = refused(form, site)
    assert len(found) == 12
    _, made = rack(form)
    lines = next(made.kickstarts()).text.split("\n")
    line = lines.index("export LAB=rack") + 2
    assert found[0].startswith(f"kickstart/cp-a1.ks:{line}:{content.index('@') + 1}: error KF7503: '{token}' cannot pass through Cobbler")


def test_a_file_as_base64_passes_whatever_it_holds() -> None:
    site = RACK.replace("export LAB=rack\\n", "@@server@@ \\u00e9\\n")
    assert refused("cobbler", site) == []


def test_a_waived_secret_is_refused() -> None:
    import kit

    found = refused("cobbler", (kit.SITES / "rack.yaml").read_text())
    assert [f for f in found if "KF7501" in f and f.startswith("site.yaml:62:5:")] == found and len(found) == 1


# -- apply.sh ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["cobbler", "cobbler-cheetah"])
@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="NOT TESTED: shellcheck is not installed")
def test_scripts_are_shellcheck_clean(form: str, tmp_path: Path) -> None:
    (tmp_path / "apply.sh").write_bytes(rack(form)[0]["cobbler/apply.sh"].content)
    text = rack(form)[0]["kickstart/cpu-a1.ks"].content.decode()
    (tmp_path / "done.sh").write_text("#!/bin/bash\n" + text.rpartition("--log=/var/log/kfimage/cobbler.log\n")[2].removesuffix("%end\n"))
    done = subprocess.run(["shellcheck", "apply.sh", "done.sh"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@given(st.dictionaries(st.from_regex(r"\Akf_[a-z]{1,8}\Z"), st.text(st.characters(codec="ascii", exclude_categories=["Cc"], include_characters="\n\t"), max_size=40), max_size=5))
def test_host_data_survives_two_shells(meta: dict[str, str]) -> None:
    """Once bash reads apply.sh, then Cobbler splits the word by shlex and each part at its first =."""
    from kfimage.exports.cobbler.export import _quoted

    words = System("n", "n", True, meta, "", ()).meta_words
    (word,) = shlex.split(_quoted(words))
    assert dict(part.split("=", 1) for part in shlex.split(word)) == meta


def test_bash_reads_the_words_as_shlex_does() -> None:
    text = "a'b \"c\" $HOME `x` \\ \n!"
    from kfimage.exports.cobbler.export import _quoted

    done = subprocess.run(["bash", "-c", f"printf %s {_quoted(text)}"], capture_output=True, text=True, check=True)
    assert done.stdout == text


def test_systems_are_described_for_a_push() -> None:
    found = systems("cobbler")
    assert found["gpu-b1"]["interfaces"] == [
        {"name": "eno1", "mac_address": "52:54:00:20:04:01", "ip_address": "", "netmask": ""},
        {"name": "eno2", "mac_address": "52:54:00:20:04:02", "ip_address": "", "netmask": ""},
    ]
    assert found["gpu-a1"]["interfaces"] == [{"name": "default", "mac_address": "52:54:00:20:03:01", "ip_address": "10.20.1.31", "netmask": "255.255.255.0"}]
    profile = found["gpu-b4"]["profile"]
    assert profile["distro"] == "rhel-8.10" and profile["autoinstall_meta"] == {"tree": "http://10.20.0.5/rhel-8.7/BaseOS"}  # type: ignore[index]
    assert "modprobe.blacklist=nouveau" in profile["kernel_options"] and "inst.ks" not in profile["kernel_options"]  # type: ignore[index]


def test_a_role_without_nodes_is_a_profile_without_systems() -> None:
    files, _ = exported("cobbler", "kfimage: 1\nsite: lab\ninstall: {url: http://m/8.7}\n", roles=("cpu-worker",))
    (profile,) = json.loads(files["cobbler/bundle.json"].content)["profiles"]
    assert (profile["name"], profile["systems"]) == ("cpu-worker-rhel-8.7", [])
    assert re.search(rb"^profile cpu-worker-rhel-8.7 rhel-8.7 ", files["cobbler/apply.sh"].content, re.M)


# -- the loop breaker -------------------------------------------------------------------------------------------------


def done(cmdline: str, root: Path, answer: str = "True", code: int = 0) -> subprocess.CompletedProcess[str]:
    text = rack("cobbler")[0]["kickstart/cpu-a1.ks"].content.decode()
    script = text.rpartition("--log=/var/log/kfimage/cobbler.log\n")[2].removesuffix("%end\n")
    (root / "proc").mkdir()
    (root / "proc/cmdline").write_text(cmdline)
    curl = root / "curl"
    curl.write_text(f'#!/bin/bash\necho "${{@: -1}}" >> {root}/asked\n[[ $* == *nopxe* ]] || exit 22\necho {answer}\nexit {code}\n')
    curl.chmod(0o755)
    env = {**os.environ, "PATH": f"{root}:{os.environ['PATH']}", "KFIMAGE_ROOT": str(root)}
    return subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("url", ["http://cob.lab/cblr/svc/op/autoinstall/system/n1", "https://p:8443/x/cblr/svc/op/autoinstall/system/n1", "http://old/cblr/svc/op/ks/system/n1"])
def test_the_loop_breaker_asks_where_the_kickstart_came_from(url: str, tmp_path: Path) -> None:
    assert done(f"a=b inst.ks.sendmac inst.ks={url} ip=dhcp\n", tmp_path).returncode == 0
    service = url.partition("/op/")[0]
    assert (tmp_path / "asked").read_text().split() == [f"{service}/op/trig/mode/post/system/n1", f"{service}/op/nopxe/system/n1"]


def test_the_loop_breaker_fails_when_cobbler_does_not_answer(tmp_path: Path) -> None:
    assert done("inst.ks=http://c/cblr/svc/op/autoinstall/system/n1", tmp_path, code=22).returncode != 0


def test_the_loop_breaker_says_when_cobbler_left_netboot_on(tmp_path: Path) -> None:
    told = done("inst.ks=http://c/cblr/svc/op/autoinstall/system/n1", tmp_path, answer="False")
    assert told.returncode == 0 and "pxe_just_once" in told.stdout


@pytest.mark.parametrize("line", ["", "quiet", "inst.ks=http://web/kickstart/n1.ks", "inst.ks=http://c/cblr/svc/op/autoinstall/profile/p"])
def test_the_loop_breaker_leaves_others_alone(line: str, tmp_path: Path) -> None:
    assert done(line, tmp_path).returncode == 0 and not (tmp_path / "asked").exists()
