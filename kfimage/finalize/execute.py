"""Run steps: check, apply, check, with bounded patience and a clock that tests can turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kfimage.errors import Exit, KfimageError, Mark, Report
from kfimage.finalize.answers import NOT_YET
from kfimage.finalize.cluster import Cluster, Unanswered
from kfimage.finalize.step import Done, Missing, Note, State, Step, Todo, identity


class Clock(Protocol):
    """Seconds that only grow, and waiting."""

    def now(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Ran:
    """How one step ended: `changed` tells whether anything had to be done."""

    step: str
    changed: bool
    reason: str
    seconds: float


def run(steps: Sequence[Step], cluster: Cluster, clock: Clock, note: Note) -> tuple[Ran, ...]:
    """Bring every step to its end state, in order. Raises KfimageError for the first that cannot get there."""
    return tuple(_one(step, cluster, clock, note) for step in steps)


def _one(step: Step, cluster: Cluster, clock: Clock, note: Note) -> Ran:
    start = clock.now()
    note({"event": "step", "step": step.name, "id": identity(step), "state": "checking"})
    try:
        state = _checked(step, cluster)
        changed = isinstance(state, Todo)
        done = _converge(step, state, cluster, clock, note) if isinstance(state, Todo) else state
    except KfimageError as error:
        note({"event": "step", "step": step.name, "state": "failed", "reason": "; ".join(p.message for p in error.report)})
        raise
    note({"event": "step", "step": step.name, "state": "done" if changed else "unchanged", "reason": done.reason})
    return Ran(step.name, changed, done.reason, clock.now() - start)


def _checked(step: Step, cluster: Cluster) -> State:
    """The step's state; a server that is away for a moment is something to wait for."""
    try:
        return step.check(cluster)
    except Unanswered as error:
        return _away(error)


def _away(error: Unanswered) -> Todo:
    return Todo("the API server does not answer", tuple(Missing("API server", p.message) for p in error.report))


def _converge(step: Step, state: Todo, cluster: Cluster, clock: Clock, note: Note) -> Done:
    start = changed = clock.now()
    quiet = 0
    while True:
        note({"event": "step", "step": step.name, "state": "applying", "reason": state.reason, "missing": [str(m) for m in state.missing]})
        after: State
        try:
            step.apply(cluster, note)
            after = _checked(step, cluster)
        except Unanswered as error:
            after = _away(error)
        if isinstance(after, Done):
            return after
        now = clock.now()
        if (after.reason, after.missing) != (state.reason, state.missing):
            changed, quiet = now, 0
        else:
            quiet += 1
        state = after
        if now - start >= step.retry.deadline or now - changed >= step.retry.idle:
            raise _too_late(step, state, now - start, now - changed)
        clock.sleep(step.retry.pause(quiet))


def _too_late(step: Step, state: Todo, total: float, idle: float) -> KfimageError:
    """What ends a step that gets no further: everything that is missing, each at its place in the stream."""
    report = Report()
    for missing in state.missing:
        report.add(NOT_YET, missing.mark or Mark(step.name), str(missing))
    how = f"nothing changed for {idle:.0f} s" if idle >= step.retry.idle else f"given up after {total:.0f} s"
    report.add(NOT_YET, Mark(step.name), f"{state.reason}; {how}")
    away = any(m.what == "API server" for m in state.missing)
    return KfimageError(report, Exit.REFUSED if away else Exit.PROBLEM)
