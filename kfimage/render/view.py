"""What templates see: a plan's parts and what is worked out from them, each worked out once for the parts it depends on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2

from kfimage.lock import Lock
from kfimage.model import Plan
from kfimage.render import facts, network, proxy, storage
from kfimage.render.carry import base64_lines, carried_files
from kfimage.render.payload import Payload
from kfimage.render.templates import Block, Section

OWN = frozenset(("node", "nics", "name", "own_facts", "network_lines", "unlock_args"))
"""Parts that belong to one node; a text that reads none of them is shared by all plans with the same parts."""

_LAYERED = (
    "access", "boot", "calico", "crio", "disk", "files", "firewall", "hooks", "install", "kernel", "kubernetes", "locale", "network",
    "nvidia", "packages", "proxy", "release", "report", "repositories", "role", "selinux", "site", "steps", "time", "tools", "waive",
)

_PROXIED = ("install", "proxy", "kubernetes", "firewall")


class Views:
    """Makes views and keeps what they worked out, by identity of the parts it was worked out from."""

    def __init__(self, lock: Lock, payload: Payload, builtin: Callable[[str], str], read: Callable[[str], bytes]) -> None:
        self.lock = lock
        self.payload = payload
        self.read = read
        self._kept: dict[Any, tuple[Any, Any]] = {}
        self.derived: dict[str, tuple[tuple[str, ...], Callable[[Plan], Any]]] = {
            "own_facts": (("node", "nics"), lambda plan: Block(facts.text(facts.own(plan)))),
            "shared_facts": (_LAYERED, lambda plan: Block(facts.text(facts.shared(plan, lock)))),
            "network_lines": (("node", "nics", "network"), network.lines),
            "firewall_line": (("firewall", "calico", "kubernetes"), network.firewall_line),
            "package_lines": (("release", "packages", "disk", "steps", "nvidia", "crio", "install"), network.package_lines),
            "storage_facts": (("disk", "kernel", "report", "boot", "steps"), lambda plan: Block(storage.assignments(plan))),
            "unlock_facts": (("disk", "report", "boot"), lambda plan: Block(storage.unlock_assignments(plan))),
            "unlock_script": ((), lambda plan: Block(builtin("kickstart/post/clevis.sh"))),
            "storage_script": ((), lambda plan: Block(builtin("kickstart/pre/storage.sh"))),
            "carried": (("repositories", "files", "hooks", "crio", "install", "waive", "steps"), lambda plan: carried_files(plan, self.read)),
            "pre_hooks": (("hooks",), lambda plan: tuple(Block(base64_lines(self.read(hook))) for hook in plan.hooks.pre)),
            "source_proxy": (_PROXIED, proxy.install_proxy),
            "repo_proxies": (_PROXIED, proxy.repo_proxies),
            "rhsm_line": (_PROXIED, network.rhsm_line),
            "unlock_args": (("node", "nics", "disk", "kernel"), lambda plan: Block(storage.own_assignments(plan))),
            "password_words": (("access", "waive"), network.password_words),
            "syslog_host": (("report",), lambda plan: (plan.report.syslog or "").rpartition(":")[0] or plan.report.syslog),
            "syslog_port": (("report",), lambda plan: (plan.report.syslog or "").rpartition(":")[2] if ":" in (plan.report.syslog or "") else ""),
            "post_guard": ((), lambda plan: Block(builtin("kickstart/post/guard.sh"))),
            "payload": (("boot", "release"), lambda plan: payload.carried(plan)),
        }

    def value(self, plan: Plan, name: str) -> Any:
        """A part of the plan, or something worked out from its parts."""
        if name not in self.derived:
            return getattr(plan, name)
        depends, make = self.derived[name]
        parts = tuple(getattr(plan, part) for part in depends)
        return self._keep((name, *map(id, parts)), parts, lambda: make(plan))

    def text(self, plan: Plan, section: Section) -> str:
        """A section's text, rendered once for each distinct set of the parts it reads."""
        try:
            parts = tuple(self.value(plan, name) for name in section.reads)
            text: str = self._keep((section.path, *map(id, parts)), parts, lambda: section.render(View(self, plan)))
        except (jinja2.TemplateError, TypeError, ValueError, AttributeError) as error:
            raise section.fault(error) from error
        return text

    def _keep(self, key: Any, parts: Any, make: Callable[[], Any]) -> Any:
        # The parts are kept with the value: an id is only unique while its object lives.
        found = self._kept.get(key)
        if found is None:
            found = (parts, make())
            self._kept[key] = found
        return found[1]


class View:
    """The one object a template gets."""

    __slots__ = ("_plan", "_views")

    def __init__(self, views: Views, plan: Plan) -> None:
        self._views = views
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        return self._views.value(self._plan, name)
