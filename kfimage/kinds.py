"""The kinds of value a site is written in: each turns one text into one canonical value or says why not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Callable, Generic, NoReturn, Optional, TypeVar

T = TypeVar("T")

FACT_SAFE = re.compile(r"[][A-Za-z0-9 ._:/@,=+%~*-]*\Z")
"""What a line of facts.env may hold between its quotes; bash reads every such value back unchanged."""

MAX_TEXT = 4096


class Bad(ValueError):
    """Why a text is not of a kind, with what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A named parser from text to value, with the JSON Schema of the text it takes."""

    name: str
    parse: Callable[[str], T]
    schema: dict[str, Any] = field(default_factory=dict)

    def __call__(self, text: str) -> T:
        if len(text) > MAX_TEXT:
            raise Bad(f"{len(text)} characters, the limit is {MAX_TEXT}")
        return self.parse(text)


class Secret:
    """A secret's value: it has no text form, so nothing can print, format, copy into JSON or pickle it by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes; only sinks, serve, join and finalize may call this (a test reads the syntax trees)."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        raise TypeError("a secret has no text form")

    def __format__(self, spec: str) -> str:
        raise TypeError("a secret has no text form")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")

    def __deepcopy__(self, memo: object) -> Secret:
        return self


@cache
def _compiled(regex: str) -> re.Pattern[str]:
    # When it is first asked for: a run needs a few of the fifty, and compiling all takes as long as a small site.
    return re.compile(rf"(?:{regex})\Z")


def _pattern(name: str, regex: str, message: str, hint: str = "") -> Kind[str]:

    def parse(text: str) -> str:
        if not _compiled(regex).match(text):
            raise Bad(f"{shown(text)} {message}", hint)
        return text

    return Kind(name, parse, {"pattern": f"^(?:{regex})$"})


def _given(kind: Kind[str]) -> Kind[str]:
    """The kind without the words that KF2003 takes for a template's missing value: refused where they are written."""

    def parse(text: str) -> str:
        if text in ("None", "null", "undefined", "nil", "NaN"):
            raise Bad(f"{shown(text)} is what a template writes for a value it does not have", "give the value, or leave the key out")
        return kind.parse(text)

    return Kind(kind.name, parse, kind.schema)


def shown(text: str) -> str:
    """A value quoted for a message: one line, no control characters, at most 60 characters."""
    clean = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:60])
    return f"'{clean}'" + ("..." if len(text) > 60 else "")


_BOOLS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def choice(*words: str) -> Kind[str]:
    """One of the words given."""

    def parse(text: str) -> str:
        if text in words:
            return text
        from kfimage.errors import did_you_mean

        raise Bad(f"{shown(text)} is not one of {', '.join(words)}", did_you_mean(text, words))

    # Editors see the values that YAML types by itself: 1 is a number, and to YAML 1.1 yes is a boolean.
    typed = [*(int(word) for word in words if word.isdigit()), *(_BOOLS[word] for word in words if word in ("yes", "no"))]
    return Kind("choice", parse, {"enum": [*words, *typed]})


def _boolean(text: str) -> bool:
    try:
        return _BOOLS[text.lower()]
    except KeyError:
        raise Bad(f"{shown(text)} is neither yes nor no", "write yes or no") from None


boolean = Kind("yes or no", _boolean, {"type": ["boolean", "string"]})


def integer(low: int, high: int) -> Kind[int]:
    """A whole number from low to high, decimal."""

    def parse(text: str) -> int:
        if not re.match(r"(?:0|-?[1-9][0-9]{0,17})\Z", text):
            raise Bad(f"{shown(text)} is not a whole number")
        number = int(text)
        if not low <= number <= high:
            raise Bad(f"{number} is not between {low} and {high}")
        return number

    return Kind("number", parse, {"type": ["integer", "string"], "minimum": low, "maximum": high})


def _mac(text: str) -> str:
    plain = text.lower().replace("-", ":")
    if not re.match(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}\Z", plain):
        raise Bad(f"{shown(text)} is not a MAC address", "six pairs of hex digits, as in 52:54:00:12:34:56")
    if int(plain[:2], 16) & 1 or plain == "00:00:00:00:00:00":
        raise Bad(f"{shown(text)} is a group address, no machine's own", "copy it from the machine's label or its BMC")
    return plain


mac = Kind("MAC address", _mac, {"pattern": "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$"})

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")


def _hostname(text: str) -> str:
    if text != text.lower() and _HOSTNAME.match(text.lower()):
        raise Bad(f"{shown(text)} has upper-case letters", f"write '{text.lower()}': Kubernetes names nodes in lower case")
    if len(text) > 64:
        raise Bad(f"{shown(text)} has {len(text)} characters", "Linux takes host names of at most 64")
    if not _HOSTNAME.match(text) or re.match(r"[0-9.]+\Z", text):
        raise Bad(f"{shown(text)} is not a host name", "lower-case letters, digits and '-', parts joined by '.'")
    return text


hostname = _given(Kind("host name", _hostname, {"pattern": rf"^{_LABEL}(\.{_LABEL})*$", "maxLength": 64}))
name = _pattern("name", r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", "is not a name", "lower-case letters, digits, '-', '.' or '_'")
fact_text = _pattern("text", r"[][A-Za-z0-9 ._:/@,=+%~*-]*", "holds a character that cannot travel to the node",
                     "letters, digits, space and ][._:/@,=+%~*- are what a fact may hold")
word = _given(_pattern("word", r"[A-Za-z0-9._:/@,=+%~*-]+", "is not one plain word", "no spaces, quotes, '#', '$' or control characters"))
_user_name = _pattern("user name", r"[a-z_][a-z0-9_-]{0,30}", "is not a user name", "lower-case letters, digits, '_' or '-', at most 31")
SYSTEM_USERS = frozenset(
    "root bin daemon adm lp sync shutdown halt mail operator games ftp nobody nfsnobody home system apache avahi chrony clevis cockpit-ws "
    "cockpit-wsinstance colord dbus dnsmasq gdm geoclue insights libstoragemgmt lldpd mysql named nscd nslcd ntp oprofile pesign polkitd postfix "
    "postgres qemu rngd rpc rpcuser rtkit saslauth setroubleshoot squid sshd sssd tang tcpdump tss unbound usbmuxd vdsm".split()
)
"""Accounts that RHEL 8's setup package and its daemons make (`home` and `system` are Anaconda's own words)."""


def system_user(name: str) -> bool:
    """Whether a user name belongs to the system."""
    return name in SYSTEM_USERS or name.startswith("systemd-")


def _user(text: str) -> str:
    if system_user(_user_name(text)):
        raise Bad(f"user name {shown(text)} belongs to the system", "choose a name of your own, as in ops")
    return text


user = _given(Kind("user name", _user, _user_name.schema))
variable = _pattern("environment variable", r"[A-Za-z_][A-Za-z0-9_]{0,63}", "is not an environment variable's name")
interface = _given(_pattern("interface name", r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}", "is not a network interface name", "at most 15 letters, digits, '.', '_' or '-'"))
language = _pattern("locale", r"[a-z]{2,3}_[A-Z]{2}(?:\.UTF-8|\.utf8)?", "is not a locale", "as in en_US.UTF-8")
keyboard = _pattern("keyboard layout", r"[a-z]{2,4}(?:-[A-Za-z0-9-]+)?|[a-z]{2,3} \([a-z0-9_-]+\)", "is not a keyboard layout", "as in us or de-nodeadkeys")
fingerprint = Kind("key fingerprint", lambda text: _fingerprint(text), {"pattern": "^[0-9A-Fa-f ]{40,60}$"})
sha256 = _pattern("sha256", r"[0-9a-f]{64}", "is not a sha256", "64 lower-case hex digits, as `sha256sum FILE` prints")
version = _pattern("version", r"[0-9]+(?:\.[0-9]+){0,3}(?:[-.~+][A-Za-z0-9.~+]+)*", "is not a version", "as in 1.25.10")
package = _given(_pattern("package", r"[A-Za-z0-9][A-Za-z0-9.+_:~^-]*", "is not a package name", "NAME or NAME-VERSION-RELEASE, as dnf takes it"))
group_or_package = _given(_pattern("package or @group", r"@?\^?[A-Za-z0-9][A-Za-z0-9.+_:~*^-]*", "is not a package or @group name"))
image = _pattern("image", r"[a-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9._-]+)+(?::[A-Za-z0-9._-]+)?(?:@sha256:[0-9a-f]{64})?", "is not a full image name", "as in registry.k8s.io/pause:3.8")
registry = _pattern("registry", r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9._-]+)*", "is not a registry", "HOST, HOST:PORT or HOST/PATH without a scheme")
module = _pattern("kernel module", r"[A-Za-z0-9][A-Za-z0-9_-]{0,55}", "is not a kernel module's name")
sysctl_key = _pattern("sysctl", r"[a-z0-9_-]+(?:[./][A-Za-z0-9_*-]+)+", "is not a sysctl key", "as in net.ipv4.ip_forward")
label_key = _pattern("label key", r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", "is not a label key", "as in example.org/rack")
label_value = _pattern("label value", r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", "is not a label value", "at most 63 letters, digits, '-', '_' or '.'")
_kernel_arg = _pattern("kernel argument", r"[A-Za-z0-9._-]+(?:=[A-Za-z0-9._:/@,=+%~*-]*)?", "is not one kernel argument", "KEY or KEY=VALUE without spaces or quotes")
_KERNEL_ARGS_ELSEWHERE = (
    (re.compile(r"(?:selinux|enforcing)(?:=|\Z)"), "the key `selinux` says which mode; permissive and enforcing are offered"),
    (re.compile(r"resume(?:_offset|wait|delay)?(?:=|\Z)|zswap\.|systemd\.swap(?:=|\Z)|rd\.lvm\.lv=.*swap"), "nodes have no swap, so nothing to resume from: leave it out"),
)


def _kernel_argument(text: str) -> str:
    for pattern, instead in _KERNEL_ARGS_ELSEWHERE:
        if pattern.match(_kernel_arg(text)):
            raise Bad(f"{shown(text)} is no kernel argument to give here", instead)
    return text


kernel_arg = Kind("kernel argument", _kernel_argument, _kernel_arg.schema)
console = _pattern("console", r"tty[A-Za-z]{0,4}[0-9]{0,2}(?:,[0-9]{3,7}[noe]?[78]?r?)?", "is not a console", "as in ttyS0,115200n8")
mode = _pattern("file mode", r"0?[0-7]{3}", "is not a file mode", "three octal digits, as in 0644")


def _fingerprint(text: str) -> str:
    plain = text.replace(" ", "").upper()
    if not re.match(r"[0-9A-F]{40}\Z", plain):
        raise Bad(f"{shown(text)} is not a key fingerprint", "40 hex digits, as `gpg --show-keys FILE` prints; a short key id is not enough")
    return plain


_UNSAFE_URL = re.compile(r"[^A-Za-z0-9._:/@,=+%~*\[\]-]")


def url(*schemes: str) -> Kind[str]:
    """An address with one of the schemes, a host, no user or password, and only what a kernel line and a fact can carry."""
    allowed = " or ".join(f"{s}://" for s in schemes)

    def parse(text: str) -> str:
        scheme, found, rest = text.partition("://")
        if not found or scheme not in schemes:
            raise Bad(f"{shown(text)} does not start with {allowed}")
        host, _, _ = rest.partition("/")
        if "@" in host:
            raise Bad("the address holds a user or password", "give credentials by reference; an address ends up on kernel lines and in logs")
        if not re.match(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z", host):
            raise Bad(f"{shown(text)} has no host name or address after '://'")
        bad = _UNSAFE_URL.search(rest)
        if bad:
            raise Bad(f"{shown(text)} holds {shown(bad.group())}", "percent-encode it, as in %20; '?', '&', '#' and '$' do not survive boot loaders")
        if ".." in rest.split("/"):
            raise Bad(f"{shown(text)} climbs with '..'", "write the path it ends at")
        return text.rstrip("/") if rest.count("/") else text

    return Kind("address", parse, {"pattern": f"^(?:{'|'.join(schemes)})://[^ ]+$"})


http = url("http", "https")
https = url("https")


def _proxy(text: str) -> str:
    found = http(text)
    if not re.search(r"://[^/]+:[0-9]{1,5}\Z", found):
        raise Bad(f"{shown(text)} does not end in the proxy's port", "as in http://10.20.0.9:3128; programs guess different ports")
    return found


proxy = Kind("proxy", _proxy, {"pattern": "^https?://[^ ]+:[0-9]+/?$"})


def _install_arg(text: str) -> str | bool:
    if text.lower() in _BOOLS:
        return _BOOLS[text.lower()]
    if not re.match(r"(?:cdrom|hmc|(?:(?:nfs|hd|cdrom|file):|(?:https?|ftp)://)[A-Za-z0-9._:/@,=+%~*\[\]-]+)\Z", text):
        raise Bad(f"{shown(text)} is neither yes nor what inst.repo= takes", "as in nfs:10.20.0.5:/rhel, http://10.20.0.5/rhel or hd:LABEL=RHEL:/")
    return text


install_arg = Kind("value of inst.repo=, or yes", _install_arg, {"type": ["boolean", "string"]})


def _absolute(text: str) -> str:
    if not re.match(r"/[A-Za-z0-9._:/@,=+%~-]*\Z", text) or ".." in text.split("/") or "//" in text:
        raise Bad(f"{shown(text)} is not an absolute path", "as in /etc/motd, without '..', spaces or quotes")
    return text


absolute = Kind("absolute path", _absolute, {"pattern": "^/[^ ]*$"})


def _node_file(text: str) -> str:
    path = _absolute(text)
    if path.endswith(("/", "/.")):
        raise Bad(f"{shown(text)} is a folder", "the path of a file, as in /etc/motd")
    if path.startswith(("/etc/kfimage/", "/usr/libexec/kfimage/", "/var/lib/kfimage/", "/dev/", "/proc/", "/sys/")) or "/./" in path:
        raise Bad(f"{shown(text)} is no place for a file of the site's", "kfimage's own folders and the kernel's are left alone")
    return path


node_file = Kind("path of a file on the node", _node_file, {"pattern": "^/[^ ]*[^/ ]$"})


def _relative(text: str) -> str:
    if not re.match(r"[A-Za-z0-9._][A-Za-z0-9._/@+ -]*\Z", text) or ".." in text.split("/"):
        raise Bad(f"{shown(text)} is not a path below the site's folder", "a relative path without '..'")
    return text


relative = Kind("path beside the site file", _relative, {"pattern": "^[^/].*$"})


@dataclass(frozen=True)
class Address:
    """One interface address: `ip` as text, prefix length, and its netmask (IPv4) as text."""

    ip: str
    prefix: int
    netmask: str
    network: str
    v6: bool

    def __str__(self) -> str:
        return f"{self.ip}/{self.prefix}"


_MASKS = {n: ".".join(str(((0xFFFFFFFF << (32 - n)) & 0xFFFFFFFF) >> s & 255) for s in (24, 16, 8, 0)) for n in range(33)}
_V4 = re.compile(r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\Z")


def v4_number(text: str) -> Optional[int]:
    """The 32-bit number of a dotted address, or None; ten times faster than `ipaddress` over ten thousand nodes."""
    match = _V4.match(text)
    if match is None:
        return None
    a, b, c, d = match.groups()
    return int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)


def _v4_text(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _host_address(text: str) -> Address:
    ip, slash, length = text.partition("/")
    number = v4_number(ip)
    if number is not None and slash and length.isdecimal() and length.isascii() and int(length) <= 32:
        prefix = int(length)
        base = number & (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF
        if prefix < 31 and number in (base, base | (0xFFFFFFFF >> prefix)):
            raise Bad(f"{shown(text)} is the network's or the broadcast address, no host's")
        return Address(_v4_text(number), prefix, _MASKS[prefix], f"{_v4_text(base)}/{prefix}", False)
    if number is not None:
        raise Bad(f"{shown(text)} has no usable prefix length", "add it, as in 10.20.1.11/24")
    import ipaddress

    try:
        found = ipaddress.IPv6Interface(text)
    except ValueError:
        raise Bad(f"{shown(text)} is not an address", "as in 10.20.1.11/24 or fd00::11/64") from None
    if not slash or "%" in text:
        raise Bad(f"{shown(text)} has no usable prefix length", "add it, as in fd00::11/64")
    return Address(str(found.ip), found.network.prefixlen, "", str(found.network), True)


host_address = Kind("address/prefix", _host_address, {"pattern": "^[0-9A-Fa-f:.]+/[0-9]+$"})


def _ip(text: str) -> str:
    number = v4_number(text)
    if number is not None:
        return _v4_text(number)
    import ipaddress

    try:
        if "%" in text:
            raise ValueError
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise Bad(f"{shown(text)} is not an IP address", "as in 10.20.0.1 or fd00::1") from None


ip = Kind("IP address", _ip, {"pattern": "^[0-9A-Fa-f:.]+$"})


def _cidr(text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        try:
            meant = str(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise Bad(f"{shown(text)} is not a network", "as in 10.244.0.0/16") from None
        raise Bad(f"{shown(text)} has host bits set", f"the network is {meant}") from None


cidr = Kind("network", _cidr, {"pattern": "^[0-9A-Fa-f:.]+/[0-9]+$"})


def _host(text: str) -> str:
    try:
        return _ip(text)
    except Bad:
        pass
    try:
        return _hostname(text)
    except Bad:
        raise Bad(f"{shown(text)} is neither a host name nor an IP address") from None


host = Kind("host", _host, {})


def _endpoint(text: str) -> str:
    match = re.match(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?\Z", text)
    if not match or (match.group(3) and not 0 < int(match.group(3)) < 65536):
        raise Bad(f"{shown(text)} is not HOST or HOST:PORT", "as in 10.20.0.10:6443 or [fd00::10]:6443")
    found = _host(match.group(1) or match.group(2))
    port = match.group(3)
    return (f"[{found}]" if ":" in found else found) + (f":{int(port)}" if port else "")


endpoint = Kind("host:port", _endpoint, {})


def _port(text: str) -> str:
    match = re.match(r"([0-9]{1,5})(?:-([0-9]{1,5}))?/(tcp|udp|sctp)\Z", text)
    if not match:
        raise Bad(f"{shown(text)} is not a port", "PORT/tcp, PORT/udp or LOW-HIGH/tcp")
    low, high = int(match.group(1)), int(match.group(2) or match.group(1))
    if not 0 < low <= high < 65536:
        raise Bad(f"{shown(text)} is not a port", "ports run from 1 to 65535, the lower one first")
    return f"{low}/{match.group(3)}" if low == high else f"{low}-{high}/{match.group(3)}"


port = Kind("port", _port, {"pattern": "^[0-9]+(-[0-9]+)?/(tcp|udp|sctp)$"})


def _ssh_key(text: str) -> str:
    import base64
    import binascii
    import struct

    parts = text.split(" ", 2)
    hint = "one line of an id_*.pub file"
    if len(parts) < 2 or not text.isprintable():
        raise Bad(f"{shown(text)} is not a public ssh key", hint)
    if "PRIVATE" in text:
        raise Bad("this is a private key", "never put it here; the matching .pub file is meant")
    comment = parts[2] if len(parts) > 2 else ""
    if not re.match(r"[A-Za-z0-9 ._@+-]*\Z", comment):
        raise Bad(f"the ssh key's comment {shown(comment)} holds a character that a kickstart cannot carry", "letters, digits, space and ._@+-")
    try:
        blob = base64.b64decode(parts[1], validate=True)
        (size,) = struct.unpack(">I", blob[:4])
        inner = blob[4 : 4 + size].decode("ascii")
    except (binascii.Error, struct.error, UnicodeDecodeError):
        raise Bad(f"{shown(text)} is not a public ssh key", hint) from None
    if inner != parts[0] or len(blob) < 4 + size + 32:
        raise Bad(f"{shown(text)} is damaged: its inside does not say {shown(parts[0])}", hint)
    if inner == "ssh-dss":
        raise Bad("a DSA key: RHEL 8's sshd refuses it", "make one with `ssh-keygen -t ed25519`")
    return text


ssh_key = Kind("public ssh key", _ssh_key, {"pattern": "^(ssh|ecdsa|sk)-[^ ]+ [A-Za-z0-9+/=]+"})

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}\Z")


def _zone(text: str) -> str:
    if not _ZONE.match(text):
        raise Bad(f"{shown(text)} is not a time zone", "as in Europe/Berlin or UTC")
    from kfimage.zones import ZONES

    if text not in ZONES:
        from kfimage.errors import near

        raise Bad(f"{shown(text)} is not a time zone", near(text, ZONES) or "Area/City as `timedatectl list-timezones` prints, as in Europe/Berlin, or UTC")
    return text


zone = Kind("time zone", _zone, {"pattern": "^[A-Za-z][A-Za-z0-9_+/-]*$"})

_UNITS = {"": 1, "M": 1 << 20, "MiB": 1 << 20, "G": 1 << 30, "GiB": 1 << 30, "T": 1 << 40, "TiB": 1 << 40}


def _size(text: str) -> int:
    match = re.match(r"([0-9]{1,9})(M|MiB|G|GiB|T|TiB)\Z", text)
    if not match or int(match.group(1)) == 0:
        raise Bad(f"{shown(text)} is not a size", "a whole number with M, G or T (powers of 1024), as in 70G")
    return int(match.group(1)) * _UNITS[match.group(2)]


size = Kind("size", _size, {"pattern": "^[0-9]+(M|MiB|G|GiB|T|TiB)$"})


def volume(least: str, *words: str) -> Kind[str]:
    """The size of a volume, not below `least`, or one of the words."""
    offered = " or ".join(filter(None, (", ".join(("size", *words[:-1])), *words[-1:])))

    def parse(text: str) -> str:
        if text in words:
            return text
        if not re.match(r"[0-9]{1,9}[MGT]\Z", text):
            raise Bad(f"{shown(text)} is not a size", f"as in 50G{''.join(f', or {word}' for word in words)}")
        if int(text[:-1]) * _UNITS[text[-1]] < _size(least):
            raise Bad(f"{shown(text)} is too small", f"at least {least}: a node fills less than that before it has joined")
        return text

    return Kind(offered, parse, {"pattern": f"^(?:{'|'.join(('[0-9]{1,9}[MGT]', *words))})$"})


@dataclass(frozen=True)
class SizeRange:
    """Bytes from `low` to `high`, both included; None is open."""

    low: Optional[int]
    high: Optional[int]


def _size_range(text: str) -> SizeRange:
    match = re.match(r"(>=|<=)?([0-9]+[A-Za-z]*)(?:\.\.([0-9]+[A-Za-z]*))?\Z", text)
    if not match or (match.group(1) and match.group(3)):
        raise Bad(f"{shown(text)} is not a size rule", ">=400G, <=1T or 400G..600G")
    first = _size(match.group(2))
    if match.group(3):
        last = _size(match.group(3))
        if last < first:
            raise Bad(f"{shown(text)} runs backwards", "the smaller size first")
        return SizeRange(first, last)
    if match.group(1) == "<=":
        return SizeRange(None, first)
    if match.group(1) == ">=":
        return SizeRange(first, None)
    slack = first // 10
    return SizeRange(first - slack, first + slack)


size_range = Kind("size rule", _size_range, {"pattern": "^(>=|<=)?[0-9]+[A-Za-z]+(\\.\\.[0-9]+[A-Za-z]+)?$"})


def _taint(text: str) -> str:
    match = re.match(r"([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)\Z", text)
    if not match:
        raise Bad(f"{shown(text)} is not a taint", "KEY=VALUE:NoSchedule, :PreferNoSchedule or :NoExecute")
    label_key(match.group(1))
    label_value(match.group(2) or "")
    return text


taint = Kind("taint", _taint, {"pattern": "^[^=:]+(=[^:]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$"})


def _line(text: str) -> str:
    if not text.isprintable():
        raise Bad(f"{shown(text)} holds a line break or a control character", "one line of plain text")
    return text


line = Kind("text", _line, {})
content = Kind("text", lambda text: text, {})
glob = _pattern("pattern", r"[a-z0-9*?.\[\]_-]+", "is not a name pattern", "a node's name with * or ?, as in gpu-b*")
