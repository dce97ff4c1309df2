"""What an answer of the API server means for the work."""

from __future__ import annotations

import pytest

from kfimage.errors import Exit
from kfimage.finalize.answers import FOREVER, Answer, judge

HOOK = 'Internal error occurred: failed calling webhook "webhook.cert-manager.io": failed to call webhook: Post "https://x.svc:443/validate?timeout=10s": '


@pytest.mark.parametrize(("code", "message", "tries", "check", "exit"), [
    (0, "the connection ended", FOREVER, "KF9662", Exit.REFUSED),
    (-500, "dial tcp 127.0.0.1:6443: connect: connection refused", FOREVER, "KF9662", Exit.REFUSED),
    (401, "Unauthorized", 2, "KF9661", Exit.REFUSED),
    (403, 'namespaces is forbidden: User "x" cannot patch resource', 2, "KF9661", Exit.REFUSED),
    (403, 'admission webhook "policy.example.org" denied the request: no', 0, "KF9660", Exit.PROBLEM),
    (400, 'admission webhook "webhook.cert-manager.io" denied the request: spec.issuerRef: Required', 0, "KF9660", Exit.PROBLEM),
    (403, 'pods "x" is forbidden: exceeded quota: compute', 0, "KF9660", Exit.PROBLEM),
    (403, 'configmaps "x" is forbidden: unable to create new content in namespace n because it is being terminated', FOREVER, "KF9664", Exit.PROBLEM),
    (404, "the server could not find the requested resource", FOREVER, "KF9664", Exit.PROBLEM),
    (404, 'namespaces "kubeflow" not found', FOREVER, "KF9664", Exit.PROBLEM),
    (409, "the object has been modified", FOREVER, "KF9664", Exit.PROBLEM),
    (413, "request entity too large", 0, "KF9660", Exit.PROBLEM),
    (422, "metadata.annotations: Too long", 0, "KF9660", Exit.PROBLEM),
    (429, "too many requests", FOREVER, "KF9664", Exit.PROBLEM),
    (500, HOOK + "dial tcp 10.96.0.9:443: connect: connection refused", FOREVER, "KF9664", Exit.PROBLEM),
    (500, HOOK + "x509: certificate signed by unknown authority", FOREVER, "KF9664", Exit.PROBLEM),
    (500, HOOK + "dial tcp 10.244.1.7:10250: connect: no route to host", 4, "KF9663", Exit.REFUSED),
    (500, HOOK + "dial tcp 10.244.1.7:10250: i/o timeout", 4, "KF9663", Exit.REFUSED),
    (503, "the server is currently unable to handle the request", FOREVER, "KF9664", Exit.PROBLEM),
    (500, "etcdserver: request timed out", FOREVER, "KF9664", Exit.PROBLEM),
])
def test_verdicts(code: int, message: str, tries: int, check: str, exit: Exit) -> None:
    # A negative code stands for an answer that is no Status: kubectl proxy's own.
    verdict = judge(Answer(code, {"kind": "Status", "message": message}) if code >= 0 else Answer(-code, {"text": message}))
    assert (verdict.tries, verdict.check.id, verdict.exit, verdict.cause) == (tries, check, exit, message)
