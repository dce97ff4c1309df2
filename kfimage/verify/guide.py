"""The guide's own defects, found wherever somebody typed its commands again: in a script or in a kickstart.

A rule looks at commands and here-documents, never at comments or at words that are only printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Callable, NamedTuple

from kfimage.errors import ERROR, NOTE, WARNING, Check, Report, define
from kfimage.verify.bash import Command, Script, read_script

STEPS: dict[str, int] = {}
"""The step of the guide each check is about."""


def row(id: str, severity: str, title: str, why: str, fix: str) -> Check:
    """A check of the guide's step that the id names."""
    step = int(id[3:5])
    STEPS[id] = step
    return define(id, severity, title, why=why, fix=fix, source=f"guide step {step}; facts/upstream.md")


# An id is KF6, the guide's step in two digits, and a number.
# fmt: off
SWAP_SED = row("KF6011", ERROR, "The guide's sed over /etc/fstab", "It misses lines whose fields are separated by "
    "tabs, so swap comes back at the next boot, and adds one more # at every run, to comments too.",
    "make no swap (autopart --noswap); else comment lines whose third field is swap and which are not comments")
SELINUX_OFF = row("KF6021", ERROR, "SELinux disabled", "NVIDIA's operator needs permissive or enforcing on RHEL 8, "
    "and coming back from disabled takes a full relabel.", "selinux --permissive in the kickstart")
SELINUX_SED = row("KF6022", WARNING, "SELinux set by a sed over its configuration", "It does nothing on any other "
    "spelling, acts only after a reboot, and disabled to permissive needs a relabel.",
    "selinux --permissive in the kickstart")
BACKEND_SED = row("KF6031", WARNING, "The firewall backend set by a sed", "The substitution is a silent no-op unless "
    "the line reads exactly FirewallBackend=nftables.", "write the line whatever it was, and read it back")
DEAD_PORT = row("KF6032", WARNING, "Ports 10251 and 10252", "Kubernetes closed these insecure ports in 1.23; their "
    "successors listen on the control plane's own loopback.", "leave them out")
POD_PORT = row("KF6033", WARNING, "Ports of pods opened on the host", "Istio, Knative and Kubeflow listen in pods: "
    "host INPUT never sees them, and 9090 would show CRI-O's metrics to all.", "leave them out; trust the pod and "
    "service networks")
IPIP_NAME = row("KF6034", ERROR, "The protocol named ipip", "In /etc/protocols ipip is 94; Calico's IP-in-IP is "
    "number 4 (ipencap): cross-node pods stay dead.", "write the number: --add-protocol=4")
RELOAD = row("KF6035", WARNING, "firewalld reloaded on a live node", "On RHEL 8 a reload or restart flushes "
    "kube-proxy's, Calico's and CNI's rules; hostPort rules never come back.", "write the configuration offline and "
    "start firewalld once, before CRI-O")
ETCD_PORT = row("KF6036", WARNING, "The etcd ports opened to all", "On a worker they are noise, on a control-plane "
    "node an invitation.", "open them to the control-plane peers only")
SWALLOWED = row("KF6037", WARNING, "A failing firewall passed over", "|| true hides that no firewall runs, and every "
    "later firewall-cmd fails for another reason.", "let it fail, or check systemctl is-active")
NO_ENCAP = row("KF6038", WARNING, "BGP opened, the encapsulation not", "Calico's default manifest sends IP-in-IP "
    "(protocol 4); VXLAN needs 4789/udp. Without it cross-node pods are dead.", "add --add-protocol=4 or "
    "--add-port=4789/udp")
MODULES = row("KF6041", WARNING, "Kernel modules without those Istio needs", "istio-init cannot load iptable_nat and "
    "its kin from a pod on RHEL 8: every Kubeflow sidecar crashes.", "list iptable_nat, iptable_mangle, iptable_raw, "
    "xt_REDIRECT, xt_owner and the others too")
SYSCTL = row("KF6042", WARNING, "Kernel settings without the inotify limits", "Kubeflow's controllers run out of "
    "inotify instances and watches on RHEL's defaults.", "set fs.inotify.max_user_instances and max_user_watches")
KUBIC = row("KF6051", ERROR, "The kubic repository of CRI-O", "It is unmaintained, has vanished before, and its "
    "CentOS_8 folder is nobody's promise.", "the upstream bundle by sha256, or a mirror of your own, pinned")
CRIO_FLOATS = row("KF6052", ERROR, "CRI-O installed without a version", "Each day installs something else, and CRI-O "
    "must match the kubelet's minor.", "name the version")
REPO_FILE = row("KF6053", WARNING, "A repository file fetched from the network", "Whoever answers decides where "
    "root's packages come from and whether signatures count; an error page is saved as well.",
    "write the file yourself, gpgcheck=1, key pinned by fingerprint")
GOOGLE_REPO = row("KF6061", ERROR, "Google's Kubernetes repository", "It has been gone since 2024-03-04.",
    "pkgs.k8s.io/core:/stable:/v1.25/rpm/, or a mirror of it")
EXCLUDE = row("KF6062", WARNING, "A Kubernetes repository without its exclude line", "The next dnf update takes "
    "kubelet, cri-tools or kubernetes-cni to another version.", "exclude=kubelet kubeadm kubectl cri-tools "
    "kubernetes-cni")
EARLY_KUBELET = row("KF6063", WARNING, "kubelet started before the node has joined", "Without its configuration it "
    "only crash-loops and fills the journal.", "systemctl enable kubelet, and let the join start it")
NM_RELOAD = row("KF6071", NOTE, "NetworkManager not told of its new file", "A running NetworkManager goes on managing "
    "Calico's interfaces until it reads the file.", "systemctl reload NetworkManager; or lay the file down at install "
    "time")
KUSTOMIZE = row("KF6081", ERROR, "kustomize's install script run from the network", "It takes the newest release, "
    "checks nothing, and fails when the file exists. Kubeflow 1.7.0 needs 5.0.0.", "download kustomize 5.0.0 and "
    "check its sha256")
HELM_LINE = row("KF6091", ERROR, "The guide's broken helm line", "Blanks after the backslash end the command there; "
    "the next line starts with && and is a syntax error.", "remove the blanks")
GET_HELM = row("KF6092", ERROR, "helm's install script from a branch", "It installs whatever is newest that day.",
    "download a pinned helm 3 and check its sha256")
TOOLKIT_FLOATS = row("KF6101", ERROR, "The NVIDIA toolkit installed without a version",
    "1.18.0 to 1.19.0 write CRI-O's configuration where it is never read; before 1.17.8 there are container escapes.",
    "pin nvidia-container-toolkit, -base, libnvidia-container-tools and libnvidia-container1")
CTK_PATH = row("KF6102", ERROR, "nvidia-ctk left to choose CRI-O's file", "1.18.0 to 1.19.0 write /etc/crio/conf.d, "
    "which CRI-O never reads, and say success; older ones edit crio.conf, which a drop-in overrules.",
    "write /etc/crio/crio.conf.d/99-nvidia.conf yourself")
CTK_DEFAULT = row("KF6103", ERROR, "The NVIDIA runtime added but not the default", "Toolkit 1.14 and newer ship no "
    "hook, and on CRI-O nothing sets a runtimeClassName: GPU pods run under plain runc.",
    "default_runtime = \"nvidia\" on GPU nodes only")
PODMAN_PROOF = row("KF6104", WARNING, "A proof that needs podman, a registry and luck",
    "podman is not installed by the guide and the image has no registry in its name.",
    "nvidia-ctk cdi list, or a mirrored image by its full name")
HELM_ALIAS = row("KF6111", ERROR, "A chart from a repository nobody added", "The alias is only known after helm repo "
    "add.", "helm repo add first, or --repo URL")
NO_SELECTOR = row("KF6112", WARNING, "The device plugin on every node", "It fails on a node without a GPU: "
    "CrashLoopBackOff on each CPU node.", "set nodeSelector or affinity")
GENERATE = row("KF6121", ERROR, "helm install --generate-name", "Every run makes another release, and they fight over "
    "cluster-policy and the CRDs.", "helm upgrade --install NAME")
IDLE_DRIVER = row("KF6122", WARNING, "Driver settings with the driver off", "With driver.enabled=false its "
    "repository, version and licence are decoration that misleads the next reader.", "remove them")
UNQUOTED = row("KF6123", WARNING, "Brackets of --set not quoted", "The shell takes [0] for a file pattern; zsh stops "
    "there.", "quote the value")
TWO_PLUGINS = row("KF6124", ERROR, "Two device plugins", "Both bind the same socket: each start removes the other's, "
    "and GPUs come and go.", "devicePlugin.enabled=false in the operator, or no plugin chart")
DEVEL = row("KF6125", NOTE, "helm --devel beside a version", "It only matters without --version, and then it picks "
    "pre-releases.", "remove it")
ADMIN_CONFIG = row("KF6131", ERROR, "The admin kubeconfig copied to a worker", "One node lost is the cluster lost; a "
    "join needs a bootstrap token and a CA hash only.", "kubeadm join with a short-lived token")
TOKEN = row("KF6132", ERROR, "A join token printed in the clear", "Whoever holds it may register any node name for 24 "
    "hours; it lands in logs and shell history.", "mint one token per node, short-lived, and hand it over by ssh or "
    "TLS")
ENDLESS = row("KF6141", ERROR, "The guide's endless apply loop", "The exit status is the last pipe member's, there is "
    "no bound and no pipefail: it can hang for ever.", "apply in waves with bounded retries")
AWK_FILTER = row("KF6142", ERROR, "A filter over rendered YAML", "It is there for a log line that kustomize 5.0.0 "
    "alone writes to stdout; behind 5.0.1 and newer it deletes lines of the CRDs' own text.", "remove it, render once "
    "and keep the sha256")
CLONE = row("KF6143", WARNING, "Kubeflow's manifests cloned by a tag", "A tag can move, and the second run stops "
    "because the folder exists.", "fetch one archive and check its sha256")
# fmt: on


class _Text(NamedTuple):
    """One piece under check: a script, or the command lines of a kickstart (`script` then reads as data)."""

    script: Script
    kickstart: bool
    by_name: dict[str, list[Command]]
    report: Report
    path: str
    first_line: int

    def add(self, check: Check, offset: int, message: str) -> None:
        mark = self.script.mark(max(offset, 0), self.path, self.first_line)
        self.report.add(check, mark, f"guide step {STEPS[check.id]}: {message}: {check.why}")

    def named(self, *names: str) -> Iterator[Command]:
        return (command for name in names for command in self.by_name.get(name, ()))

    def has(self, pattern: str) -> bool:
        return re.search(pattern, self.script.text) is not None


_FIREWALL = ("firewall-cmd", "firewall-offline-cmd")
_GET = ("curl", "wget")
_DNF = ("dnf", "yum", "microdnf")
_SED = ("sed", "perl")
_HELM_FLAGS = frozenset(
    [
        "--devel",
        "--wait",
        "--install",
        "-i",
        "--create-namespace",
        "--generate-name",
        "--atomic",
        "--debug",
        "--dry-run",
    ]
)
_COPY = frozenset(["cp", "scp", "rsync", "copy"])

# (check, commands, pattern over the command with its arguments, pattern that clears it)
_COMMANDS: tuple[tuple[Check, tuple[str, ...], str, str], ...] = (
    (SELINUX_OFF, ("grubby", "grub2-mkconfig"), r"\bselinux=0\b", r"--remove-args"),
    (SELINUX_OFF, _SED, r"[/|#,]SELINUX=disabled[/|#,]", r"[/|#,^]SELINUX=disabled\$?[/|#,]SELINUX="),
    (SELINUX_SED, _SED, r"\^SELINUX=(enforcing|disabled)\$.*/etc/selinux/config|SELINUX=.*/etc/sysconfig/selinux", ""),
    (BACKEND_SED, _SED, r"\^FirewallBackend=nftables\$", ""),
    (DEAD_PORT, _FIREWALL, r"--add-port=1025[12]\b", ""),
    (POD_PORT, _FIREWALL, r"--add-port=(15000-15090|9090|8008|8012|8013)/", ""),
    (IPIP_NAME, _FIREWALL, r"--add-protocol[= ]ipip\b", ""),
    (ETCD_PORT, _FIREWALL, r"--add-port=2379(-2380)?/", r"--zone|--policy"),
    (KUBIC, (*_GET, *_DNF), r"://\S*/repositories/devel:/?kubic|CentOS_8/devel:kubic", ""),
    (CRIO_FLOATS, _DNF, r" install\b.* cri-o(\.x86_64)?( |$)", ""),
    (REPO_FILE, _GET, r"\s/etc/yum\.repos\.d/", ""),
    (GOOGLE_REPO, (*_GET, *_DNF, "rpm"), r"https?://(packages\.cloud\.google\.com/yum|yum\.kubernetes\.io)", ""),
    (KUSTOMIZE, _GET, r"/install_kustomize\.sh", ""),
    (GET_HELM, _GET, r"/get-helm-[34]\b", ""),
    (TOOLKIT_FLOATS, _DNF,
     r" install\b.* (nvidia-container-toolkit(-base)?|libnvidia-container(-tools|1))(\.x86_64)?( |$)", ""),
    (CTK_PATH, ("nvidia-ctk",), r"runtime configure.*--runtime[= ]cri-?o",
     r"--(config|drop-in-config|oci-hook-path)[= ]"),
    (CTK_DEFAULT, ("nvidia-ctk",), r"runtime configure.*--runtime[= ]cri-?o",
     r"--(nvidia-)?set-as-default\b|--config-mode[= ]oci-hook"),
    (PODMAN_PROOF, ("podman", "docker"), r" run\b.* [a-z0-9-]+(:\S+)? nvidia-smi\b", ""),
    (NO_SELECTOR, ("helm",), r" (install|upgrade)\b.*nvidia-device-plugin", r"nodeSelector|affinity|--values|(^| )-f "),
    (GENERATE, ("helm",), r" install\b.*(--generate-name\b| -g\b)", ""),
    (IDLE_DRIVER, ("helm",),
     r"driver\.enabled=(False|false).*driver\.(repository|version|licensingConfig|imagePullSecrets)", ""),
    (DEVEL, ("helm",), r"--devel\b", r"^(?!.*--version)"),
    (TOKEN, ("kubeadm",), r"^kubeadm token create\b.*(--print-join-command|--ttl[= ]0)", ""),
    (AWK_FILTER, ("awk", "gawk", "grep", "sed"), r"well-defined", ""),
    (CLONE, ("git",), r"\bclone\b.*github\.com/kubeflow/manifests", ""),
)  # fmt: skip
# (check, pattern over one line of a here-document or of a kickstart)
_LINES: tuple[tuple[Check, str], ...] = (
    (SELINUX_OFF, r"^\s*SELINUX=disabled\b|^\s*selinux\s+--disabled\b|^\s*bootloader\b.*\bselinux=0\b"),
    (DEAD_PORT, r"^\s*firewall\s.*--port[= ]\S*\b1025[12]:|<port\b[^>]*\"1025[12]\""),
    (POD_PORT, r"^\s*firewall\s.*--port[= ]\S*\b(15000-15090|9090|8008|8012|8013):"),
    (POD_PORT, r"<port\b[^>]*\"(15000-15090|9090|80(08|12|13))\""),
    (IPIP_NAME, r"<protocol\s+value=\"ipip\""),
    (KUBIC, r"^\s*(baseurl\s*=|url\s|repo\s).*/devel:/?kubic"),
    (GOOGLE_REPO, r"^\s*(baseurl\s*=|gpgkey\s*=|url\s|repo\s).*://(packages\.cloud\.google\.com/yum|yum\.kubernetes\.io)"),
    (CRIO_FLOATS, r"^\s*cri-o\s*$"),
    (TOOLKIT_FLOATS, r"^\s*nvidia-container-toolkit(-base)?\s*$"),
)  # fmt: skip

_WORTH_READING = re.compile("selinux|firewall|<port|<protocol|devel:|google|kubernetes|cri-o|nvidia", re.I)


def _commands(text: _Text) -> None:
    for check, names, pattern, clear in _COMMANDS:
        for command in text.named(*names):
            if re.search(pattern, command.line) and not (clear and re.search(clear, command.line)):
                text.add(check, command.offset, command.line[:60])


def _lines(text: _Text) -> None:
    bodies = ((0, text.script.text),) if text.kickstart else text.script.bodies
    for start, body in bodies:
        for line in re.finditer(r"[^\n]+", body):
            if not _WORTH_READING.search(line.group()):
                continue  # a payload, say: half a megabyte of base64
            for check, pattern in _LINES:
                if re.search(pattern, line.group()):
                    text.add(check, start + line.start(), line.group().strip()[:60])


def _swap(text: _Text) -> None:
    for command in text.named(*_SED):
        program = next((word for word in command.argv[1:] if "swap" in word and "/fstab" not in word), "")
        if not program or "/etc/fstab" not in command.line or "-i" not in re.sub(r" -\w*i\w*", " -i", command.line):
            continue
        comments = "#" in program and not re.search(r"\[\^#|\^\\?s?\*?#|#\\?\?|#\*", program)
        if re.search(r"/[^/]* swap ", program) or comments:
            text.add(SWAP_SED, command.offset, f"sed {program[:50]}")


def _firewall(text: _Text) -> None:
    for index, command in enumerate(text.script.commands):
        after = text.script.commands[index + 1 : index + 2]
        if (
            re.search(r"^systemctl (start|restart|enable).*\bfirewalld", command.line)
            and command.ender == "||"
            and after
            and after[0].name in ("true", ":")
        ):
            text.add(SWALLOWED, command.offset, f"{command.line[:50]} || {after[0].name}")
        reloads = re.search(
            r"^(firewall-cmd .*--(complete-)?reload|systemctl \S*(restart|reload)\S* firewalld)\b", command.line
        )
        # A script that first asks whether the node has joined knows what a reload would cut off.
        if reloads and not text.has(r"\bjoined\b|/etc/kubernetes/kubelet\.conf"):
            text.add(RELOAD, command.offset, command.line[:60])
    opened = [c for c in text.named(*_FIREWALL) if "--add-port=179/tcp" in c.line]
    if opened and not text.has(r"--add-protocol[= ](4|ipencap)\b|4789/udp"):
        text.add(NO_ENCAP, opened[0].offset, opened[0].line[:60])


def _kernel(text: _Text) -> None:
    for start, body in text.script.bodies:
        if re.search(r"^\s*br_netfilter\s*$", body, re.M) and not text.has(r"\biptable_nat\b|\bxt_REDIRECT\b"):
            text.add(MODULES, start + body.index("br_netfilter"), "modules for CRI-O only")
        if "bridge-nf-call-iptables" in body and not text.has(r"fs\.inotify\.max_user"):
            text.add(SYSCTL, start + body.index("bridge-nf-call-iptables"), "settings for CRI-O only")


def _repositories(text: _Text) -> None:
    for start, body in text.script.bodies:
        header = re.search(r"^\s*\[kubernetes[^\]]*\]", body, re.M)
        if header:
            line = re.search(r"^\s*exclude(?:pkgs)?\s*=(.*)$", body, re.M)
            lost = {"kubelet", "kubeadm", "kubectl", "cri-tools", "kubernetes-cni"} - set(
                re.split(r"[\s,]+", line[1]) if line else ())  # fmt: skip
            if lost:
                text.add(EXCLUDE, start + (line or header).start(), f"not excluded: {' '.join(sorted(lost))}")
    for index, command in enumerate(text.script.commands):
        targets = [word for word in command.argv[1:] if command.name == "tee"] + [to for _, to in command.redirects]
        if any(target.startswith("/etc/yum.repos.d/") for target in targets):
            first = index
            while first > 0 and text.script.commands[first].piped:
                first -= 1
            if any(c.name in _GET for c in text.script.commands[first : index + 1]):
                text.add(REPO_FILE, command.offset, command.line[:60])


def _services(text: _Text) -> None:
    joins = any(re.match(r"kubeadm (join|init)\b", c.line) for c in text.named("kubeadm"))
    for command in text.named("systemctl"):
        starts = re.search(r" (re)?start\b|--now\b", command.line)
        if starts and re.search(r" kubelet(\.service)?( |$)", command.line) and not joins:
            text.add(EARLY_KUBELET, command.offset, command.line[:60])
    for command in text.script.commands:
        targets = [word for word in command.argv[1:] if command.name == "tee"] + [to for _, to in command.redirects]
        writes = any(target.startswith("/etc/NetworkManager/conf.d/") for target in targets)
        if writes and not text.has(r"(reload|restart) NetworkManager|nmcli general reload"):
            text.add(NM_RELOAD, command.offset, "a file in /etc/NetworkManager/conf.d")


def _helm_line(text: _Text) -> None:
    for token in text.script.tokens:
        quotes = token.kind == "plain" and token.text in ("\\ ", "\\\t")
        if quotes and re.match(r"[ \t]*\n\s*(&&|\|\|)", text.script.text[token.offset + 2 :][:400]):
            text.add(HELM_LINE, token.offset, "blanks after the backslash, && on the next line")


def _charts(text: _Text) -> None:
    added = {c.argv[3] for c in text.named("helm") if c.argv[1:3] == ("repo", "add") and len(c.argv) > 3}
    charts = [c for c in text.named("helm") if c.argv[1:2] in (("install",), ("upgrade",))]
    for command in charts:
        for before, word in zip(command.argv[1:], command.argv[2:]):
            alias = re.fullmatch(r"([a-z0-9-]+)/[a-z0-9-]+", word)
            value = before.startswith("-") and before not in _HELM_FLAGS and "=" not in before
            if alias and not value and alias[1] not in added and "--repo" not in command.line:
                text.add(HELM_ALIAS, command.offset, f"{word}, but no helm repo add {alias[1]}")
        line = text.script.text[max(command.offset, 0) :].split("\n", 1)[0]
        for loose in re.finditer(r"[\w.]+\[\d+\]", re.sub(r"'[^']*'|\"[^\"]*\"", lambda m: "_" * len(m[0]), line)):
            text.add(UNQUOTED, command.offset + loose.start(), loose.group()[:60])
    plugin = [c for c in charts if "nvidia-device-plugin" in c.line]
    operator = [c for c in charts if re.search(r"/gpu-operator\b", c.line)]
    if plugin and operator and not text.has(r"devicePlugin\.enabled=(False|false)"):
        text.add(TWO_PLUGINS, operator[0].offset, "the chart and the operator both bring one")


def _join(text: _Text) -> None:
    for command in text.script.commands:
        config = re.search(r"\.kube/config\b|/admin\.conf\b", command.line)
        copies = _COPY & {word.lower() for word in command.argv[:2]}
        if config and copies and re.search(r"\bworker\b|(?<!\S)[\w.@${}-]+:", command.line):
            text.add(ADMIN_CONFIG, command.offset, command.line[:60])


def _apply_loop(text: _Text) -> None:
    for index, command in enumerate(text.script.commands):
        if not {"while", "until"} & set(command.lead):
            continue
        chain = [command]
        for part in islice(text.script.commands, index + 1, None):
            if not part.piped:
                break
            chain.append(part)
        if any(re.match(r"(kustomize build|kubectl (apply|create))\b", part.line) for part in chain):
            text.add(ENDLESS, command.offset, " | ".join(part.line for part in chain)[:80])


_RULES: tuple[Callable[[_Text], None], ...] = (
    _commands, _lines, _swap, _firewall, _kernel, _repositories, _services, _helm_line, _charts, _join, _apply_loop,
)  # fmt: skip
_SECTION = re.compile(r"%(pre|pre-install|post|onerror|traceback|end|packages|addon|anaconda)\b")


def _pieces(text: str, path: str) -> Iterator[tuple[str, int, bool]]:
    """(text, lines before it, whether it is kickstart commands); a script is one piece."""
    if not path.endswith((".ks", ".cfg", ".ks.j2")) and not (
        re.search(r"^%(post|pre|packages)\b", text, re.M) and re.search(r"^%end\b", text, re.M)
    ):
        yield text, 0, False
        return
    lines, start, script = text.split("\n"), 0, False
    for number, line in enumerate([*lines, "%end"]):
        found = _SECTION.match(line)
        if found:
            yield "\n".join(lines[start:number]), start, not script
            start, script = number + 1, found[1] in ("pre", "pre-install", "post", "onerror", "traceback")


def check_text(text: str, path: str, *, first_line: int = 1) -> Report:
    """The guide's defects in a script, or in the scripts and commands of a kickstart; marks count from `first_line`."""
    report = Report()
    for piece, before, kickstart in _pieces(text, path):
        script = Script(piece, (), (), (), _starts(piece)) if kickstart else read_script(piece)
        named: dict[str, list[Command]] = {}
        for command in script.commands:
            named.setdefault(command.name, []).append(command)
        found = _Text(script, kickstart, named, report, path, first_line + before)
        for rule in _RULES:
            rule(found)
    return report


def _starts(text: str) -> tuple[int, ...]:
    return (0, *(found.end() for found in re.finditer("\n", text)))
