"""Which proxy an address is reached through: the one answer for the installer's lines, the facts and the proof of both."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Optional
from urllib.parse import urlsplit

from kfimage.fleet import range_of
from kfimage.kinds import v4_number
from kfimage.model import Plan, Proxy

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@lru_cache(maxsize=4096)
def proxy_of(proxy: Proxy, url: str, direct: tuple[str, ...] = LOOPBACK) -> str:
    """The proxy for an address, or "" for none. `direct` and `except_for` are read as Go's NO_PROXY is, for CRI-O reads the same words.

    `*` is everything, `.lab` the hosts below lab, `lab` that host and those below it, 10.0.0.0/8 the hosts given by such an address.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    wanted = (proxy.https or proxy.http) if parts.scheme == "https" else proxy.http
    if not wanted or parts.scheme not in ("http", "https", "ftp"):
        return ""
    port = port or {"http": 80, "https": 443, "ftp": 21}[parts.scheme]
    return "" if any(_fits(entry, host, port) for entry in (*direct, *proxy.except_for)) else wanted


def _fits(entry: str, host: str, port: int) -> bool:
    number = range_of(f"{host}/{128 if ':' in host else 32}") if ":" in host or v4_number(host) is not None else None
    if entry == "*":
        return True
    if "/" in entry:
        network = _network(entry)
        return bool(network and number and network[0] == number[0] and (network[1] ^ number[1]) >> network[2] == 0)
    name, colon, after = entry.strip("[]").lower().rpartition(":")
    if colon and ":" not in name and after.isdigit():
        if int(after) != port:
            return False
    else:
        name = entry.strip("[]").lower()
    return host == name or (number is None and host.endswith(name if name.startswith(".") else f".{name}"))


def _network(entry: str) -> Optional[tuple[int, int, int]]:
    try:
        return range_of(entry)
    except ValueError:
        return None


def exceptions(plan: Plan) -> tuple[str, ...]:
    """What no request of a node goes through the proxy for, beside what the site says: itself, the cluster's names and networks, its API."""
    k = plan.kubernetes
    found = (*LOOPBACK, f".{k.dns_domain}" if k.dns_domain else "", ".svc", k.pods, k.services, host_of(k.api or ""), *plan.firewall.cluster)
    return tuple(dict.fromkeys(word for word in found if word))


def plan_proxy(plan: Plan, url: Optional[str]) -> str:
    """The proxy through which a node of this plan reaches an address, or ""."""
    return proxy_of(plan.proxy, url or "", exceptions(plan))


def no_proxy(plan: Plan, fetched: Iterable[str]) -> str:
    """NO_PROXY of CRI-O and of the tools at first boot: the exceptions, the rack's own servers, and of the addresses `fetched`
    those that are reached directly, by host: curl and dnf of RHEL 8 understand no network there."""
    encrypt = plan.disk.encrypt
    rack = [plan.boot.url, plan.install.url, plan.report.url, *(pin.url for pin in (encrypt.tang if encrypt else ()))]
    direct = [url for url in fetched if url and not url.startswith("/") and not plan_proxy(plan, url)]
    registries = [*plan.crio.mirrors.values(), *plan.crio.insecure]
    hosts = [host_of(place or "") for place in (*rack, *registries, *direct)]
    return ",".join(dict.fromkeys(word for word in (*exceptions(plan), *hosts, *plan.proxy.except_for) if word))


def host_of(place: str) -> str:
    """The bare host of an address, of HOST:PORT, or of HOST:PORT/PATH."""
    authority = place.partition("://")[2] or place
    return re.sub(r":[0-9]+\Z", "", authority.partition("/")[0]).strip("[]")


def install_proxy(plan: Plan) -> str:
    """The proxy of the install source, for the kickstart's line and the kernel's."""
    source = plan.install
    word = source.kernel_line if isinstance(source.kernel_line, str) else ""
    return plan_proxy(plan, source.url or word or source.stage2)


def repo_proxies(plan: Plan) -> dict[str, str]:
    """The proxy of each of the vendor's repositories: its own, else the site's where it applies."""
    return {name: repo.proxy or plan_proxy(plan, repo.url) for name, repo in plan.install.repos.items()}


RHSM = "subscription.rhsm.redhat.com"


def rhsm_proxy(plan: Plan) -> str:
    """The proxy to Red Hat's network, or to the site's own subscription server."""
    rhsm = plan.install.rhsm
    server = (rhsm.server if rhsm else None) or RHSM
    return plan_proxy(plan, f"https://[{server}]" if ":" in server else f"https://{server}")
