"""Foreman's templates: the importer's own rules, Ruby's own ERB, and what Foreman's safe mode allows.

No Foreman server runs here. Templates are rendered by plain ERB in Foreman's trim mode, with stubs of its macros.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exports.hostile import bodies
from exports.sites import exported, rack, refused
from kfimage.exports.foreman import boot, erb
from kfimage.exports.foreman.export import _HOOK
from kfimage.exports.merge import Choice, Part, Text, Value, filled, merge

HERE = Path(__file__).resolve().parent
RUBY = shutil.which("ruby") and shutil.which("erb")
ruby = pytest.mark.skipif(not RUBY, reason="NOT TESTED: ruby and erb are not installed (apt-get install ruby)")
BODIES = int(os.environ.get("KFIMAGE_EXAMPLES") or 150)

KINDS = ("provisioning_templates/provision", "provisioning_templates/PXELinux", "provisioning_templates/PXEGrub2", "provisioning_templates/iPXE", "partition_tables_templates")
NAMES = ("control-plane-rhel-8.7", "cpu-worker-rhel-8.7", "gpu-worker-rhel-8.10", "gpu-worker-rhel-8.7")
HOOKS = [f"foreman/provisioning_templates/snippet/kickstart_default_custom_{hook}.erb" for hook in ("packages", "post")]
PATHS = [f"foreman/{kind}/kfimage_{name}.erb" for kind in KINDS for name in NAMES] + HOOKS

_KIND = re.compile(r"^\s*<%#\n(.*?)^-%>\n", re.M | re.S)


@cache
def templates() -> dict[str, str]:
    return {path: a.content.decode() for path, a in rack("foreman")[0].items() if path.endswith(".erb")}


def rendered(cases: list[dict[str, Any]]) -> list[str]:
    done = subprocess.run(["ruby", str(HERE / "render.rb")], input=json.dumps(cases), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[str] = json.loads(done.stdout)
    return found


def hosts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(rack("foreman")[0]["foreman/hosts.json"].content)["hosts"]
    return found


# -- what the importer reads ------------------------------------------------------------------------------------------


def metadata(text: str) -> dict[str, Any]:
    """As foreman's TemplateImport reads it: the first comment that ends at the first %>, without the dash, as YAML."""
    match = re.search(r"<%#[\t a-z0-9=:]*(.+?).-?%>", text, re.M | re.S)
    assert match is not None
    found = yaml.safe_load(match[1].strip())
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("path", PATHS)
def test_the_importer_reads_every_header_whole(path: str) -> None:
    text = templates()[path]
    match = _KIND.search(text)
    assert match is not None and "%>" not in match[1]
    found = metadata(text)
    assert found == yaml.safe_load(match[1])
    folder = path.split("/")[-2]
    if folder == "snippet":
        assert found["snippet"] is True and "kind" not in found and found["name"].startswith("Kickstart default custom ")
    else:
        assert found["kind"] == {"partition_tables_templates": "ptable"}.get(folder, folder)
        # 8.7 and 8.10 are different systems to Foreman: the entry is the beginning of its label.
        assert found["oses"] == ["RedHat 8.10" if "8.10" in path else "RedHat 8.7"]
    assert found["model"] == ("Ptable" if folder == "partition_tables_templates" else "ProvisioningTemplate")
    assert text.startswith("#!ipxe\n<%#\n" if folder == "iPXE" else "<%#\n")


def test_every_role_has_every_kind_and_each_file_is_tested() -> None:
    assert sorted(templates()) == sorted(PATHS)


def test_a_header_is_safe_whatever_its_values() -> None:
    head = erb.header("provision", 'a: b "c" # d', "x: [y, {z", ["RedHat 8.7"])
    assert metadata(head + "body") == {"kind": "provision", "name": 'a: b "c" # d', "model": "ProvisioningTemplate", "oses": ["RedHat 8.7"], "description": "x: [y, {z"}


# -- safe mode --------------------------------------------------------------------------------------------------------

_MACROS = {"host_param", "host_param!", "host_param_true?", "foreman_url", "snippet_if_exists", "template_name", "pxe_kernel_options"}
_METHODS = {"provision_interface", "subnet", "mac", "ip", "gateway", "mask", "identifier", "name", "dns_servers", "each", "push", "gsub", "join", "strip", "to_s",
            "dhcp_boot_mode?", "url_for_boot"}
_WORDS = {"if", "elsif", "else", "end", "unless", "words", "port", "net", "custom", "server", "do", "initrd", "kernel"}


def tags(text: str) -> list[str]:
    """The Ruby of a template: what ERB's tags hold, comments and escaped tags left out."""
    return re.findall(r"<%(?![%#])[=-]?(.*?)-?%>", text.replace("<%%", ""), re.S)


@pytest.mark.parametrize("path", PATHS)
def test_only_what_safe_mode_allows(path: str) -> None:
    """Foreman's safe mode denies constants, back-ticks, block-pass and most methods: only a short list is used at all."""
    for code in tags(templates()[path]):
        bare = re.sub(r"'[^']*'", "''", code)
        inner = re.findall(r"#\{(.*?)\}", bare)
        bare = re.sub(r'"[^"]*"', '""', bare) + " " + " ".join(inner)
        assert not re.search(r"`|\b[A-Z]|&:|\$|::|@(?!host\b|kernel\b|initrd\b)", bare), code
        for dot, name in re.findall(r"(\.?)\b([a-z_]+(?:[?]|!(?!=))?)", bare):
            allowed = _METHODS if dot else _MACROS | _WORDS | {"host", "kernel", "initrd"}
            assert name in allowed, (name, code)


# -- Ruby's own -------------------------------------------------------------------------------------------------------


@ruby
@pytest.mark.parametrize("path", PATHS)
def test_ruby_takes_every_template(path: str, tmp_path: Path) -> None:
    """-P: the erb command would take lines that begin with % for Ruby, which Foreman does not."""
    (tmp_path / "t.erb").write_text(templates()[path])
    code = subprocess.run(["erb", "-P", "-x", "-T", "-", str(tmp_path / "t.erb")], capture_output=True, text=True, check=True).stdout
    checked = subprocess.run(["ruby", "-c"], input=code, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout.strip()) == (0, "Syntax OK"), checked.stderr


def callbacks(text: str) -> str:
    return re.sub(r"http://foreman\.invalid/unattended/(built|failed)", r"http://foreman.lab/unattended/\1?token=0a1b", text)


@ruby
def test_every_host_gets_its_proven_kickstart() -> None:
    made = {one.plan.node.hostname: callbacks(one.text) for one in rack("foreman")[1].kickstarts() if one.plan.node}
    cases = [{"template": templates()[f"foreman/provisioning_templates/provision/kfimage_{host['parameters']['kf_template']}.erb"], "params": host["parameters"]}
             for host in hosts()]
    assert len(cases) == 12
    for host, text in zip(hosts(), rendered(cases)):
        assert text == made[host["name"]], host["name"]


@ruby
def test_a_host_without_its_parameters_gets_an_error_and_no_half_kickstart() -> None:
    template = templates()["foreman/provisioning_templates/provision/kfimage_cpu-worker-rhel-8.7.erb"]
    with pytest.raises(AssertionError, match="kf_template"):
        rendered([{"template": template}])


@ruby
def test_hooks_are_put_where_they_work() -> None:
    host = hosts()[0]
    template = templates()[f"foreman/provisioning_templates/provision/kfimage_{host['parameters']['kf_template']}.erb"]
    snippets = {"kfimage x custom packages": "lldpd-extra", "kfimage x custom post": "echo mine"}
    plain, hooked = rendered([{"template": template, "params": host["parameters"]}, {"template": template, "params": host["parameters"], "snippets": snippets}])
    assert hooked.replace("lldpd-extra\n%end", "%end", 1).replace("echo mine\ntouch", "touch", 1) == plain != hooked
    assert template.count(_HOOK.format("post")) == template.count(_HOOK.format("packages")) == 1


@ruby
def test_shape_b_adds_to_the_stock_template_only_for_our_hosts() -> None:
    snippets = {name: templates()[f"foreman/provisioning_templates/snippet/kickstart_default_custom_{name}.erb"] for name in ("packages", "post")}
    assert [text.strip() for text in rendered([{"template": t, "params": {"kf_template": "other"}} for t in snippets.values()])] == ["", ""]
    texts = {one.plan.node.hostname: one for one in rack("foreman")[1].kickstarts() if one.plan.node}
    for host in hosts():
        packages, post = rendered([{"template": t, "params": host["parameters"]} for t in snippets.values()])
        pieces = {p.section.name[:2]: p.text for p in texts[host["name"]].pieces}
        assert packages == pieces["70"].partition("\n")[2].partition("%end\n")[0]
        whole = "".join(pieces[n] for n in ("90", "91", "92", "93", "94", "95")).lstrip("\n").partition("\n")[2].partition("%end\n")[0]
        assert post.startswith(f"cat > /root/kfimage-post <<'KF_POST'\n{whole}KF_POST\n")
        assert subprocess.run(["bash", "-n"], input=post, text=True, check=False).returncode == 0
        assert "http://foreman.lab/unattended/failed?token=0a1b" in post


@ruby
def test_the_partition_table_is_the_proven_disk_script() -> None:
    texts = {one.plan.node.hostname: one for one in rack("foreman")[1].kickstarts() if one.plan.node}
    for host in hosts():
        template = templates()[f"foreman/partition_tables_templates/kfimage_{host['parameters']['kf_template']}.erb"]
        (text,) = rendered([{"template": template, "params": host["parameters"]}])
        pieces = {p.section.name[:2]: p.text for p in texts[host["name"]].pieces}
        whole = (pieces["80"] + pieces["81"]).lstrip("\n").partition("\n")[2].partition("%end\n")[0]
        assert text == f"#Dynamic (Foreman reads this line)\necho '%include /tmp/kfimage-storage.ks' > /tmp/diskpart.cfg\n{whole}"


@ruby
@pytest.mark.parametrize("static", [False, True])
def test_boot_templates_say_where_the_kickstart_is(static: bool) -> None:
    found = boot.templates("kfimage x", ("ip=dhcp", "inst.repo=http://r", "inst.cmdline"))
    network = "ip=10.20.1.31::10.20.1.1:255.255.255.0:gpu.lab:eno1:none nameserver=10.20.0.1 nameserver=10.20.0.2" if static else "ip=dhcp"
    cases = [{"template": body, "params": {"kf_kernel_options": "console=ttyS0"}, "static": static} for body in found.values()]
    line = f"inst.ks=http://foreman.lab/unattended/provision?token=0a1b inst.ks.sendmac BOOTIF=01-52-54-00-aa-bb-cc {network} console=ttyS0 inst.repo=http://r inst.cmdline"
    for kind, text in zip(found, rendered(cases)):
        (kernel,) = [one for one in text.splitlines() if "inst.ks=" in one]
        start = {"PXELinux": "  APPEND initrd=boot/initrd.img ", "PXEGrub2": "  linuxefi boot/vmlinuz ", "iPXE": "kernel http://boot.lab/kernel initrd=initrd.img "}[kind]
        assert kernel == start + line, kind


@ruby
def test_hostile_bodies_pass_unchanged() -> None:
    cases: list[tuple[list[Part], dict[str, str]]] = []

    @settings(max_examples=BODIES, deadline=None, database=None, derandomize="KFIMAGE_EXAMPLES" not in os.environ, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.tuples(bodies, bodies, bodies, st.sampled_from(["a1", "b2", "none"])))
    def collect(found: tuple[str, str, str, str]) -> None:
        first, second, value, chosen = found
        options = (("a1", (Text(second), Value("kf_x"))), ("b2", (Text(first),)))
        cases.append(([Text(first), Value("kf_x"), Choice("kf_c", options), Text("%end\n" + second)], {"kf_c": chosen, "kf_x": value}))

    collect()
    assert len(cases) >= BODIES * 0.9
    head = erb.header("provision", "x", "y")
    texts = rendered([{"template": head + erb.erb(parts), "params": table} for parts, table in cases])
    changed = [(filled(parts, table), got) for (parts, table), got in zip(cases, texts) if got != filled(parts, table)]
    assert len(texts) == len(cases) and not changed, changed[:2]


@ruby
def test_unprotected_text_is_changed() -> None:
    assert rendered([{"template": "a <%= 1 + 1 %>\n"}, {"template": erb.text("a <%= 1 + 1 %>\n")}]) == ["a 2\n", "a <%= 1 + 1 %>\n"]


# -- the callbacks ----------------------------------------------------------------------------------------------------


def callback(section: str) -> str:
    (text,) = [p.text for p in next(rack("foreman")[1].kickstarts()).pieces if p.section.name.startswith(section)]
    return text.strip().partition("\n")[2].removesuffix("%end")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("bin", "tmp", "var/log/kfimage"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "var/log/kfimage/post.log").write_text("step one\n")
    curl = tmp_path / "bin/curl"
    curl.write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" > {tmp_path}/argv\ncat > {tmp_path}/body\nprintf %s "${{FAKE_CODE:-201}}"\n')
    curl.chmod(0o755)
    return tmp_path


def run(script: str, root: Path, **env: str) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, "PATH": f"{root}/bin:{os.environ['PATH']}", "KFIMAGE_ROOT": str(root), "KFIMAGE_PAUSE": "0.1", **env}
    return subprocess.run(["bash", "-c", script], env=whole, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("code", "wanted"), [("201", 0), ("409", 0), ("404", 1), ("000", 1)])
def test_built_is_told_with_the_log(code: str, wanted: int, root: Path) -> None:
    assert run(callback("99-"), root, FAKE_CODE=code).returncode == wanted
    assert (root / "body").read_text() == "step one\n"
    assert (root / "argv").read_text().splitlines()[-1] == "http://foreman.invalid/unattended/built"


def wait_for(path: Path) -> bool:
    for _ in range(50):
        if path.exists():
            return True
        time.sleep(0.1)
    return False


def test_failed_is_told_by_the_watcher_and_the_section_does_not_wait_for_it(root: Path) -> None:
    started = time.monotonic()
    assert run(callback("84-"), root).returncode == 0
    assert time.monotonic() - started < 5 and not (root / "argv").exists()
    with (root / "var/log/kfimage/post.log").open("a") as log:
        log.write("kfimage: the installation has stopped: line 7: dnf\n")
    assert wait_for(root / "argv")
    time.sleep(0.2)
    assert (root / "argv").read_text().splitlines()[-1] == "http://foreman.invalid/unattended/failed"
    assert "has stopped: line 7: dnf" in (root / "body").read_text()


def test_the_watcher_goes_when_the_node_is_built(root: Path) -> None:
    assert run(callback("84-"), root).returncode == 0
    assert run(callback("99-"), root).returncode == 0
    (root / "argv").unlink()
    time.sleep(1.5)  # ten of its pauses and more, on a busy machine
    (root / "var/log/kfimage/post.log").write_text("kfimage: the installation has stopped: not so\n")
    time.sleep(0.5)
    assert not (root / "argv").exists()


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_a_waived_secret_is_refused_where_it_is_waived() -> None:
    import kit

    (problem,) = refused("foreman", (kit.SITES / "rack.yaml").read_text())
    assert problem.startswith("site.yaml:62:5: error KF7501: cp-a1: crio.pull_credentials is waived")


def test_roles_without_nodes_are_templates_without_hosts() -> None:
    files, made = exported("foreman", "kfimage: 1\nsite: lab\ninstall: {url: http://m/8.7}\n", HERE, roles=("cpu-worker",))
    assert json.loads(files["foreman/hosts.json"].content)["hosts"] == []
    assert merge(list(made.kickstarts())).parts()[0] == Text(next(iter(made.kickstarts())).text)
