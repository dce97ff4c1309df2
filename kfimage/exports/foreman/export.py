"""Foreman and Satellite: (A) templates of our own and (B) hook snippets for "Kickstart default", as a git repository."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from kfimage.artefact import Artefact
from kfimage.errors import Report
from kfimage.exports.foreman import boot, erb
from kfimage.exports.made import Kickstart, Made, beside, file, fill, installer_args, refuse_secrets, section
from kfimage.exports.merge import Part, Template, Text, merge
from kfimage.model import Plan
from kfimage.render.kickstart import Piece

TITLE = "Foreman templates, snippets and host parameters"

_URL = "http://foreman.invalid/unattended/"
_FAILED = section(
    "84-foreman-failed.ks.j2", "tell Foreman of a failure, with the log",
    f"\n%post --interpreter=/bin/bash --erroronfail\n{beside(__file__, 'failed.sh')}%end\n",
)
_DONE = section(
    "99-foreman-done.ks.j2", "tell Foreman that the node is built, with the log",
    f"\n%post --interpreter=/bin/bash --erroronfail --log=/var/log/kfimage/foreman.log\n{beside(__file__, 'done.sh')}%end\n",
)
_HOOK = '<% custom = snippet_if_exists(template_name + " custom {}") -%>\n<% unless custom.to_s == "" -%>\n<%= custom %>\n<% end -%>\n'
_STOCK = "Kickstart default"
_TEMPLATES = "foreman/provisioning_templates"


def sections(plan: Plan) -> tuple[Piece, ...]:
    """Foreman's two callbacks."""
    return (_FAILED, _DONE)


def check(made: Made, report: Report) -> None:
    refuse_secrets(made, report)


def export(made: Made) -> Iterator[Artefact]:
    merged = {name: (kickstarts, merge(kickstarts)) for name, kickstarts in made.by_template().items()}
    hosts: list[dict[str, object]] = []
    for name, (kickstarts, template) in merged.items():
        yield from _full(name, kickstarts, template)
        hosts += _hosts(name, kickstarts, template)
    yield from _snippets({name: template for name, (_, template) in merged.items()})
    yield file("foreman/hosts.json", json.dumps({"generator": made.generator, "hosts": hosts, "schema": 1, "site": made.site}, indent=1, sort_keys=True) + "\n")
    yield file("foreman/README.md", fill(__file__, "README.md.j2", made=made, templates=sorted(merged)))
    yield made.payload


def title(name: str) -> str:
    """A template's name in Foreman."""
    return f"kfimage {name}"


def provision(template: Template) -> str:
    """The kickstart of shape A: the proven text, Foreman's callback addresses, and the hooks that its users know."""
    found = []
    for name in template.sections:
        body = erb.erb(template.parts(name))
        if name.startswith("70-"):
            body = body.replace("%end\n", _HOOK.format("packages") + "%end\n", 1)
        if name == _DONE.section.name:
            body = body.replace("touch ", _HOOK.format("post") + "touch ", 1)
        found.append(body)
    # Without its parameters a host gets an error when Foreman renders, and not half a kickstart.
    return "<% host_param!('kf_template') -%>\n" + _callbacks("".join(found))


def _callbacks(body: str) -> str:
    for action in ("built", "failed"):
        body = body.replace(f"{_URL}{action}", f"<%= foreman_url('{action}') %>")
    return body


def _full(name: str, kickstarts: Sequence[Kickstart], template: Template) -> Iterator[Artefact]:
    release, role = kickstarts[0].plan.release, kickstarts[0].plan.role
    oses = [erb.os_label(release.os_id, release.os_version)]
    head = erb.header("provision", title(name), f"Kickstart of the role {role}, written by kfimage; change the site, not this.", oses)
    yield file(f"{_TEMPLATES}/provision/kfimage_{name}.erb", head + provision(template))
    for kind, body in boot.templates(title(name), installer_args(kickstarts)[0]).items():
        first = "#!ipxe\n" if kind == "iPXE" else ""
        head = erb.header(kind, f"{title(name)} {kind}", f"Boot entry of the role {role}, written by kfimage.", oses)
        yield file(f"{_TEMPLATES}/{kind}/kfimage_{name}.erb", first + head + body)
    head = erb.header("ptable", title(name), f"Disks of the role {role}, chosen by rule, without swap; for \"{_STOCK}\".", oses, "Ptable")
    yield file(f"foreman/partition_tables_templates/kfimage_{name}.erb", head + _ptable(template))


def _ptable(template: Template) -> str:
    """A dynamic partition table: Foreman puts it into a %pre of its own and includes /tmp/diskpart.cfg."""
    body = erb.erb(_inner(template.parts("80-", "81-")))
    return f"#Dynamic (Foreman reads this line)\necho '%include /tmp/kfimage-storage.ks' > /tmp/diskpart.cfg\n{body}"


def _snippets(templates: Mapping[str, Template]) -> Iterator[Artefact]:
    for hook, write in (("packages", _packages), ("post", _post)):
        # One snippet serves all hosts of "Kickstart default": each says by kf_template which of the texts is its own.
        texts = "".join(f"<% {'els' * (n > 0)}if host_param('kf_template') == '{name}' -%>\n{write(t)}" for n, (name, t) in enumerate(templates.items()))
        head = erb.header(None, f"{_STOCK} custom {hook}", f"What kfimage adds to \"{_STOCK}\", for hosts with the parameter kf_template.")
        yield file(f"{_TEMPLATES}/snippet/kickstart_default_custom_{hook}.erb", f"{head}{texts}<% end -%>\n")


def _packages(template: Template) -> str:
    return erb.erb(_inner(template.parts("70-")))


def _post(template: Template) -> str:
    """kfimage's %post as a script of its own: its traps and its log are not for the rest of the stock template."""
    script = erb.erb(_inner(template.parts("90-", "91-", "92-", "93-", "94-", "95-")))
    watcher = _callbacks(erb.text(beside(__file__, "failed.sh")))
    after = "bash /root/kfimage-post\nrm -f /root/kfimage-post\ntouch /tmp/kfimage-foreman-built\n"
    return f"cat > /root/kfimage-post <<'KF_POST'\n{script}KF_POST\n{watcher}{after}"


def _inner(parts: Sequence[Part]) -> list[Part]:
    """The first section's body without its opening line and its %end."""
    first, last = parts[0], parts[-1]
    assert isinstance(first, Text) and isinstance(last, Text)
    if len(parts) == 1:
        return [Text(_cut_end(_cut_start(first.text)))]
    return [Text(_cut_start(first.text)), *parts[1:-1], Text(_cut_end(last.text))]


def _cut_start(body: str) -> str:
    return body.lstrip("\n").partition("\n")[2]


def _cut_end(body: str) -> str:
    before, _, _ = body.partition("%end\n")
    return before


def _hosts(name: str, kickstarts: Sequence[Kickstart], template: Template) -> list[dict[str, object]]:
    """Hosts as Foreman's API and its Ansible modules take them; parameters are what varies between the hosts of a template."""
    own = installer_args(kickstarts)[1]
    found: list[dict[str, object]] = []
    for one in kickstarts:
        plan, node = one.plan, one.plan.node
        if node is None:
            continue
        parameters = {**template.values[plan.name], "kf_template": name, "kf_kernel_options": " ".join(own[plan.name])}
        stock = {"selinux-mode": plan.selinux, "package_upgrade": "false", "enable-epel": "false", "lang": plan.locale.language, "time-zone": plan.time.zone}
        found.append({
            "name": node.hostname, "mac": node.boot_mac, "ip": node.ip, "build": plan.boot.nodes == "install",
            "operatingsystem": erb.os_label(plan.release.os_id, plan.release.os_version), "ptable": title(name), "provision": title(name),
            "parameters": {name: value for name, value in {**stock, **parameters}.items() if value},
        })
    return found
