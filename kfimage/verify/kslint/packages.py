"""%packages and repo lines: what Anaconda installs without looking at a signature."""

from __future__ import annotations

import re

from kfimage.errors import ERROR, WARNING, Report, define
from kfimage.verify.kslint.model import Parsed, commas, rule
from kfimage.verify.kslint.urls import fetched

_UNSIGNED = "anaconda 33.16.7.12 payload/dnf/payload.py:661: gpgcheck = False"

IGNORE_MISSING = define(
    "KF2501",
    WARNING,
    "missing packages are ignored",
    why="With --ignoremissing a typing error or an incomplete mirror gives a node without the package.",
    fix="remove --ignoremissing and correct the list",
    source="RHEL 8 installation guide, %packages",
)
THIRD_PARTY = define(
    "KF2502",
    ERROR,
    "a third-party package in %packages",
    why="The vendor's media do not have it, and from any other repository Anaconda installs it without checking its "
    "signature.",
    fix="install it in a `%post --erroronfail` with dnf, gpgcheck=1 and a pinned version",
    source=_UNSIGNED,
)
THIRD_PARTY_REPO = define(
    "KF2503",
    WARNING,
    "a third-party repository during the installation",
    why="`repo` has no --gpgkey, and Anaconda checks no signature: packages from there are trusted blindly.",
    fix="configure the repository in %post with gpgcheck=1 and gpgkey=",
    source=_UNSIGNED,
)
REPO_INSTALL = define(
    "KF2504",
    WARNING,
    "a repository is left on the node without a key",
    why="`repo --install` writes neither gpgcheck nor gpgkey into the .repo file.",
    fix="write the .repo file in %post",
    source="anaconda 33.16.7.12 payload/dnf/payload.py:1988",
)
NOT_A_PACKAGE = define(
    "KF2505",
    ERROR,
    "a %packages line that is no package",
    why="Each line is one name: `foo bar` is looked for as one package called 'foo bar'.",
    fix="one package, @group or @^environment per line",
    source="pykickstart 3.78 parser.py, Packages.add",
)
TWO_ENVIRONMENTS = define(
    "KF2506",
    ERROR,
    "two environments",
    why="Only the last @^ line counts, the other is dropped in silence.",
    fix="keep one; add the rest as @groups",
    source="pykickstart 3.78 parser.py, Packages.add",
)
IN_AND_OUT = define(
    "KF2507",
    ERROR,
    "a package is wanted and left out",
    why="The order of the two lines decides, and nothing says so.",
    fix="remove one of the lines",
    source="pykickstart 3.78 parser.py, Packages.add",
)
NO_CORE = define(
    "KF2508",
    WARNING,
    "the core group is left out",
    why="--nocore, or -@core, can give a node without dnf, NetworkManager or sshd; the vendor does not support it.",
    fix="keep @core",
    source="RHEL 8 installation guide, %packages --nocore",
)
NEEDED = define(
    "KF2509",
    ERROR,
    "a package is left out that another line needs",
    why="The firewall, the time service, the network and SELinux are set with that package's tools in the new system.",
    fix="remove the line with -, or the command that needs it",
    source="anaconda 33.16.7.12 modules: firewall-offline-cmd, chrony.conf",
)
REPO_TWICE = define(
    "KF2510",
    ERROR,
    "repositories with one name",
    why="Anaconda adds the second and drops the first; pykickstart only warns.",
    fix="give each repo its own --name",
    source="pykickstart 3.78 commands/repo.py",
)

_NAME = re.compile(r"[A-Za-z0-9_.*?\[][A-Za-z0-9_.+*?\[\]:~^{}()/=-]*")
_FOREIGN = re.compile(
    r"(?:kube(?:let|adm|ctl|rnetes)\S*|cri-o\S*|cri-tools\S*|nvidia-\S*|kmod-nvidia\S*|libnvidia-\S*|cuda\S*"
    r"|docker-(?:ce|engine|io|compose)\S*|containerd(?:\.io)?\S*|helm\S*|calico\S*|mlnx-\S*|epel-release\S*|dkms\S*"
    r"|datacenter-gpu-manager\S*|libnccl\S*|xorg-x11-drv-nvidia\S*)"
)
_FOREIGN_REPO = re.compile(
    r"kubernetes|(?<![a-z])k8s(?![a-z])|cri-?o(?![a-z])|libcontainers|nvidia|(?<![a-z])cuda|docker-ce|(?<![a-z])epel"
    r"|elrepo|rpmfusion|copr|mellanox|mlnx",
    re.IGNORECASE,
)
_NEEDS = (
    ("firewall", ("--enabled", "--enable", "--port", "--service"), "firewalld"),
    ("timezone", ("--ntpservers",), "chrony"),
    ("selinux", ("--enforcing", "--permissive"), "selinux-policy-targeted"),
    ("network", ("--bootproto", "--device", "--ip"), "NetworkManager"),
    ("network", ("--teamslaves",), "NetworkManager-team"),
    ("sshkey", ("--username",), "openssh-server"),
)


@rule
def header(parsed: Parsed, report: Report) -> None:
    for section in parsed.section("%packages"):
        if section.header.has("--ignoremissing"):
            mark = parsed.at(section.header, "--ignoremissing")
            report.add(IGNORE_MISSING, mark, "a package that is not found is left out in silence")
        if section.header.has("--nocore"):
            report.add(NO_CORE, parsed.at(section.header, "--nocore"), "--nocore")


@rule
def entries(parsed: Parsed, report: Report) -> None:
    environment = ""
    sides: dict[str, str] = {}
    for line, entry in parsed.packages:
        if entry.startswith("@^"):
            if environment and environment != entry:
                report.add(TWO_ENVIRONMENTS, parsed.mark(line), f"'{entry}' replaces '{environment}'")
            environment = entry
            continue
        if entry == "-@core":
            report.add(NO_CORE, parsed.mark(line), "-@core")
        side, name = (entry[0], entry[1:].strip()) if entry[0] == "-" else ("+", entry)
        if sides.get(name, side) != side:
            report.add(IN_AND_OUT, parsed.mark(line), f"'{name}' is both wanted and left out")
        sides[name] = side
        if name.startswith("@"):
            continue
        if not _NAME.fullmatch(name):
            report.add(NOT_A_PACKAGE, parsed.mark(line), f"'{name[:80]}'")
        if side == "+" and _FOREIGN.fullmatch(name):
            report.add(THIRD_PARTY, parsed.mark(line), f"'{name}' is not the vendor's")


@rule
def needed(parsed: Parsed, report: Report) -> None:
    gone = {entry[1:].strip(): line for line, entry in parsed.packages if entry.startswith("-")}
    for name, options, package in _NEEDS:
        users = [command for command in parsed.all(name) if command.has(*options)]
        if users and package in gone:
            report.add(NEEDED, parsed.mark(gone[package]), f"`{name}` in line {users[0].line} needs {package}")


@rule
def repositories(parsed: Parsed, report: Report) -> None:
    names: dict[str, int] = {}
    for command in parsed.all("repo"):
        name = command.get("--name") or ""
        if command.has("--install"):
            report.add(REPO_INSTALL, parsed.at(command, "--install"), f"'{name}' gets no gpgcheck and no gpgkey")
        if name in names:
            report.add(REPO_TWICE, parsed.at(command, name), f"'{name}' is also in line {names[name]}")
        names.setdefault(name, command.line)
        for wanted in commas(command.get("--includepkgs")):
            if _FOREIGN.fullmatch(wanted):
                report.add(THIRD_PARTY, parsed.at(command, wanted), f"'{wanted}' is not the vendor's")
    for command, option, value in fetched(parsed):
        if command.name == "repo" and _FOREIGN_REPO.search(f"{command.get('--name')} {value}"):
            report.add(THIRD_PARTY_REPO, parsed.at(command, option), f"'{command.get('--name')}' is not the vendor's")
