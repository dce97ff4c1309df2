"""A stream as a step: sent object by object, wave by wave, each object once; what is in the cluster already is not sent again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Optional

from kfimage.errors import Exit, KfimageError, Mark, Report
from kfimage.finalize.answers import FOREVER, NO_ROUTE, REFUSED, UNREACHABLE, Verdict, judge, no_route
from kfimage.finalize.apis import Resource
from kfimage.finalize.cluster import Cluster
from kfimage.finalize.gates import ABSENT, Gates
from kfimage.finalize.normalise import put
from kfimage.finalize.step import Done, Missing, Note, State, Todo
from kfimage.finalize.stream import Key, Object, Stream
from kfimage.finalize.waves import STRICT, Wave, waves

APPLIED = "kfimage/applied"
"""The annotation that holds the digest of what was sent: an object that has it needs no second send."""

PATIENCE = 16
"""Looks at a webhook that has no route; with the pauses between them about a minute."""

Fill = Callable[[Object, Cluster], Object]
"""Puts in, just before an object is sent, what no file may hold."""


class Manifests:
    """The work of a step that applies a normalised stream."""

    def __init__(self, stream: Stream, fill: Optional[Fill] = None) -> None:
        self.stream = stream
        self.waves = waves(stream)
        self._fill = fill
        self._gates = Gates(stream)
        self._digests = {o.key: digest(o) for o in stream}
        self._live: Optional[dict[Key, str]] = None
        self._passed: set[int] = set()
        self._shut_out = 0
        self._failed: dict[Key, tuple[int, Verdict]] = {}

    def check(self, cluster: Cluster) -> State:
        """What is left to do, from the cluster's own state."""
        live = self._look(cluster)
        for wave in self.waves:
            unsent = self._unsent(wave, live)
            if unsent:
                causes = tuple(Missing(o.id, self._failed[o.key][1].cause, o.mark()) for o in unsent if o.key in self._failed)
                return Todo(f"wave {wave.number} ({wave.name}): {len(unsent)} of {len(wave.objects)} objects to send", causes)
            missing = self._missing(wave, cluster)
            if missing:
                return Todo(f"wave {wave.number} ({wave.name}): waiting for {len(missing)}", missing)
        # CRDs and namespaces passed their gate above, and listing 75 CRDs is 2.5 MB each time.
        missing = tuple(self._gates.missing([o for o in self.stream if o.kind not in ("CustomResourceDefinition", "Namespace")], cluster))
        if any(m.why == ABSENT for m in missing):
            # Somebody took away what was there when this run began: look again before the next send.
            self._live = None
        if missing:
            return Todo(f"all {len(self.stream)} objects are sent; waiting for {len(missing)}", missing)
        return Done(f"{len(self.stream)} objects applied, {len(self._gates.relations.workloads)} workloads ready")

    def apply(self, cluster: Cluster, note: Note) -> None:
        """Send what is not there yet, up to the first wave that others must wait for."""
        live = self._look(cluster)
        for wave in self.waves:
            unsent = self._unsent(wave, live)
            if unsent:
                note({"event": "wave", "wave": wave.number, "name": wave.name, "send": len(unsent), "of": len(wave.objects)})
            self._send_all(unsent, live, cluster, note)
            if self._unsent(wave, live) or self._missing(wave, cluster):
                return

    def _look(self, cluster: Cluster) -> dict[Key, str]:
        """The digests that live objects carry; read once, then kept up by what is sent."""
        if self._live is None:
            live: dict[Key, str] = {}
            for api, kind, resource in self._kinds():
                for item in cluster.metadata(api, resource.plural):
                    meta = item["metadata"]
                    namespace = meta.get("namespace") or ""
                    sent = (meta.get("annotations") or {}).get(APPLIED)
                    if sent and "deletionTimestamp" not in meta:
                        live[Key(api.rpartition("/")[0], kind, namespace, meta["name"])] = sent
            self._live = live
        return self._live

    def _kinds(self) -> Iterable[tuple[str, str, Resource]]:
        return {(o.group, o.kind): (o.api, o.kind, self._resource(o)) for o in self.stream}.values()

    def _resource(self, o: Object) -> Resource:
        resource = self.stream.resource(o)
        if resource is None:
            report = Report()
            report.add(REFUSED, o.mark("kind"), f"{o.id}: neither Kubernetes nor the stream defines {o.api} {o.kind}", "add its CRD to the stream")
            raise KfimageError(report)
        return resource

    def _unsent(self, wave: Wave, live: dict[Key, str]) -> list[Object]:
        return [o for o in wave.objects if live.get(o.key) != self._digests[o.key]]

    def _missing(self, wave: Wave, cluster: Cluster) -> tuple[Missing, ...]:
        """What a strict wave still waits for; a gate once passed stays open for this run."""
        if wave.number not in STRICT or wave.number in self._passed:
            return ()
        missing = tuple(self._gates.missing(wave.objects, cluster)) or tuple(self._gates.answering(wave.objects, cluster))
        if not missing:
            self._passed.add(wave.number)
        self._route(missing)
        return missing

    def _route(self, missing: tuple[Missing, ...]) -> None:
        """Stop when a webhook stays out of the API server's reach: pods that move give that for a moment, a firewall for ever."""
        away = [m for m in missing if no_route(m.why)]
        self._shut_out = self._shut_out + 1 if away else 0
        if self._shut_out > PATIENCE:
            report = Report()
            for m in away:
                report.add(NO_ROUTE, m.mark or Mark("cluster"), str(m))
            raise KfimageError(report, Exit.REFUSED)

    def _send_all(self, objects: list[Object], live: dict[Key, str], cluster: Cluster, note: Note) -> None:
        for o in objects:
            body = put(o.body, ("metadata", "annotations", APPLIED), self._digests[o.key])
            full = self._fill(o.but(body), cluster) if self._fill else o.but(body)
            answer = cluster.send(full, self._resource(o))
            note({"event": "sent", "object": o.id, "api": o.api, "code": answer.code, **({} if answer.ok else {"cause": answer.message[:300]})})
            if answer.ok:
                live[o.key] = self._digests[o.key]
                self._failed.pop(o.key, None)
                continue
            verdict = judge(answer)
            self._give_up_or_wait(o, verdict)
            if answer.code == 429 or verdict.check is UNREACHABLE:
                return

    def _give_up_or_wait(self, o: Object, verdict: Verdict) -> None:
        tries = self._failed.get(o.key, (0, verdict))[0] + 1
        self._failed[o.key] = tries, verdict
        if tries > verdict.tries and verdict.tries != FOREVER:
            report = Report()
            report.add(verdict.check, o.mark(), f"{o.id}: {verdict.cause}")
            raise KfimageError(report, verdict.exit)


def digest(o: Object) -> str:
    """What tells two contents apart; what is only filled in when sent counts by its name."""
    return hashlib.sha256(json.dumps(o.body, sort_keys=True, default=repr).encode()).hexdigest()[:40]
