"""Images that a stream names: in pod specs, and hidden where no list of pods shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from kfimage.finalize.stream import Object, Path, Stream, entries

_TAG = r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})"
_DIGEST = r"@sha256:[0-9a-f]{64}"
_PART = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_NAME = rf"(?:{_PART}(?::[0-9]{{2,5}})?/)?{_PART}(?:/{_PART})*"
_WHOLE = re.compile(rf"{_NAME}{_TAG}?(?:{_DIGEST})?\Z")
_SURE = re.compile(rf"(?<![A-Za-z0-9._/:@$-])(?:{_PART}\.[a-z]{{2,}}(?::[0-9]{{2,5}})?/)(?:{_PART}/)*{_PART}(?:{_TAG}(?:{_DIGEST})?|{_DIGEST})(?![A-Za-z0-9/])")
"""In any text: a registry's domain, a path, and a tag or digest."""
_KEYED = re.compile(
    rf"(?:\bimage|Image|_IMAGE)\"?['\s]*[:=]\s*[\"']?(?P<ref>{_NAME}{_TAG}?(?:{_DIGEST})?)(?=[\"'\s,\\]|$)|"
    rf"^\s*- [\"']?(?P<item>(?:{_PART}/)+{_PART}{_TAG})[\"']?\s*$", re.M)
"""In text that is itself YAML or JSON: the value of a key that ends in image, or a list item with a path and a tag."""


class Image(NamedTuple):
    """One reference and where it stands; `hidden` when it is not the image of a container in a pod spec."""

    reference: str
    object: Object
    path: Path
    hidden: bool
    policy: str = ""


def images(stream: Stream) -> Iterator[Image]:
    """Every image reference, in the order of the stream; the same one at each place that names it."""
    for o in stream:
        if o.kind != "CustomResourceDefinition":
            yield from _of(o)


def _of(o: Object) -> Iterator[Image]:
    shown: set[Path] = set()
    for path, container in containers(o):
        if isinstance(container.get("image"), str):
            shown.add((*path, "image"))
            yield Image(container["image"], o, (*path, "image"), False, str(container.get("imagePullPolicy") or ""))
    for path, text in _texts(o.body, ()):
        if path in shown or path[:1] == ("metadata",):
            continue
        for reference in dict.fromkeys(_hidden(path, text)):
            yield Image(reference, o, path, True)


_POD_SPEC: dict[str, tuple[str, ...]] = {"Pod": ("spec",), "CronJob": ("spec", "jobTemplate", "spec", "template", "spec")}


def containers(o: Object) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every container of the pods that a built-in kind makes, with its path."""
    at = _POD_SPEC.get(o.kind, ("spec", "template", "spec"))
    for key in ("initContainers", "containers") if o.group in ("", "apps", "batch") else ():
        for index, container in entries(o.body, *at, key):
            yield (*at, key, index), container


def _texts(node: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _texts(value, (*path, index))


def _hidden(path: Path, text: str) -> Iterator[str]:
    last = str(path[-1]) if path else ""
    if last.lower().endswith("image") and _WHOLE.match(text) and "/" in text:
        yield text
        return
    if len(text) < 200 and "\n" not in text:
        yield from (m.group() for m in _SURE.finditer(text))
        return
    yield from (m.group() for m in _SURE.finditer(text))
    composed = tuple(_composed(text))
    yield from composed
    for m in _KEYED.finditer(text):
        reference = m.group("ref") or m.group("item")
        # Without a path it is as likely a variable or a word of a template as an image; half of a composed one is none.
        if ("/" in reference or ":" in reference) and not any(c.startswith(f"{reference}:") for c in composed):
            yield reference


def _composed(text: str) -> Iterator[str]:
    """References that a controller puts together from two keys of a JSON text: name and defaultImageVersion, or hub, image and tag."""
    if not text.lstrip().startswith("{"):
        return
    try:
        top = json.loads(text)
    except ValueError:
        return
    for node in _mappings(top):
        image, version = node.get("image"), node.get("defaultImageVersion")
        if isinstance(image, str) and isinstance(version, str) and _WHOLE.match(f"{image}:{version}"):
            yield f"{image}:{version}"
    settings = top.get("global") if isinstance(top, dict) else None
    if isinstance(settings, dict) and all(isinstance(settings.get(k), str) for k in ("hub", "tag")):
        for node in _mappings(settings):
            name = node.get("image")
            if isinstance(name, str) and re.match(rf"{_PART}\Z", name):
                yield f"{settings['hub']}/{name}:{settings['tag']}"


def _mappings(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _mappings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _mappings(value)


def tag(reference: str) -> str:
    """The tag, '@' when pinned by digest, or '' when there is neither."""
    if "@sha256:" in reference:
        return "@"
    return reference.rpartition("/")[2].partition(":")[2]


def registry(reference: str) -> str:
    """The registry a reference names, or '' for a short name."""
    first, slash, _ = reference.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else ""
