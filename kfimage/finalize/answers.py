"""What the API server's answer to one object means: sent, worth another try, or a reason to stop."""

from __future__ import annotations

from typing import Any, NamedTuple

from kfimage.errors import ERROR, Check, Exit, define

REFUSED = define(
    "KF9660", ERROR, "the API server refuses an object",
    why="It will refuse it again: a loop around it would never end.", fix="mend the object, or take it out of the stream",
)
FORBIDDEN = define(
    "KF9661", ERROR, "the credentials of the kubeconfig may not do this",
    why="Nothing that finalize can repeat changes what an account may do.", fix="use a kubeconfig of a cluster administrator",
)
UNREACHABLE = define(
    "KF9662", ERROR, "the API server does not answer",
    why="Without it nothing can be seen or changed.", fix="check the server address in the kubeconfig, and that the control plane runs",
)
NO_ROUTE = define(
    "KF9663", ERROR, "the API server cannot reach a webhook",
    why="'no route to host' is what a host firewall's reject looks like; waiting does not open it.",
    fix="let the control plane reach pods on 10250, 15017, 4443, 8443 and 9443 (trust the pod network in the firewall)", source="kubeflow/manifests 2585",
)
NOT_YET = define(
    "KF9664", ERROR, "something did not become ready in time",
    why="What follows needs it; going on would hide which part is the cause.", fix="mend the cause that is named, then `kfimage finalize resume`",
)


class Answer(NamedTuple):
    """An HTTP answer; code 0 when there was none."""

    code: int
    body: dict[str, Any]
    after: float = 0.0

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300

    @property
    def message(self) -> str:
        return str(self.body.get("message") or self.body.get("text") or f"HTTP {self.code}").strip()


FOREVER = 1_000_000


class Verdict(NamedTuple):
    """What to do about a failure: how often to try again, and what to say when that is used up."""

    tries: int
    check: Check
    cause: str
    exit: Exit = Exit.PROBLEM


_RULES = ("denied the request", "exceeded quota", "violates PodSecurity")
"""What a 403 says when a rule of the cluster, not the account, is in the way."""


def judge(answer: Answer) -> Verdict:
    """The verdict on an answer that is not a success."""
    text = answer.message
    if answer.code == 0 or (answer.code >= 500 and answer.body.get("kind") != "Status"):
        # An API server says what is wrong in a Status; anything else comes from what stands before it.
        return Verdict(FOREVER, UNREACHABLE, text, Exit.REFUSED)
    if "failed calling webhook" in text or ("conversion webhook" in text and answer.code >= 500):
        return _webhook(text)
    if answer.code == 403 and "being terminated" in text:
        return Verdict(FOREVER, NOT_YET, text)
    if answer.code == 401 or (answer.code == 403 and not any(word in text for word in _RULES)):
        # An account's rights are read from a cache of the server; a fresh role binding may take a moment.
        return Verdict(2, FORBIDDEN, text, Exit.REFUSED)
    if answer.code == 404:
        # The kind or the namespace is on its way: a CRD is served a moment after it is Established.
        return Verdict(FOREVER, NOT_YET, text)
    if answer.code in (409, 429) or answer.code >= 500:
        return Verdict(FOREVER, NOT_YET, text)
    return Verdict(0, REFUSED, text)


def _webhook(text: str) -> Verdict:
    if no_route(text):
        # A pod that moves gives this for a moment, a firewall for ever.
        return Verdict(4, NO_ROUTE, text, Exit.REFUSED)
    return Verdict(FOREVER, NOT_YET, text)


def no_route(text: str) -> bool:
    """Whether a call failed on the way, not at the other end."""
    return "no route to host" in text or "i/o timeout" in text
