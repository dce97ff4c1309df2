"""The words of finalize: a step, what its check says, and how long it may take."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Optional, Protocol, Union

from kfimage.errors import Mark

if TYPE_CHECKING:
    from kfimage.finalize.cluster import Cluster


class Missing(NamedTuple):
    """One thing that is not there yet, and why as far as the cluster tells."""

    what: str
    why: str = ""
    mark: Optional[Mark] = None

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what


@dataclass(frozen=True)
class Done:
    """The step's end state holds."""

    reason: str


@dataclass(frozen=True)
class Todo:
    """It does not: what is to be done, and what it waits for."""

    reason: str
    missing: tuple[Missing, ...] = ()


State = Union[Done, Todo]
Note = Callable[[Mapping[str, object]], None]
"""Takes one event of a step's work; it goes into the journal and onto the screen."""


@dataclass(frozen=True)
class Retry:
    """Bounds of a step, in seconds: at most `deadline` in all, at most `idle` without any change, and pauses that double from `first` to `most`."""

    deadline: float
    idle: float
    first: float = 0.5
    most: float = 10.0

    def pause(self, quiet: int) -> float:
        """How long to wait after so many rounds in which nothing changed."""
        return min(self.most, self.first * 2.0 ** min(quiet, 30))


class Step(Protocol):
    """One unit of convergence. `check` never writes; `apply` does what can be done now and is safe to repeat."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def after(self) -> tuple[str, ...]: ...
    @property
    def retry(self) -> Retry: ...
    @property
    def inputs(self) -> Mapping[str, str]: ...

    def check(self, cluster: Cluster) -> State: ...
    def apply(self, cluster: Cluster, note: Note) -> None: ...


def identity(step: Step) -> str:
    """A step's id in the journal: other inputs make another step."""
    return hashlib.sha256(json.dumps([step.name, dict(step.inputs)], sort_keys=True).encode()).hexdigest()


def ordered(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps so that each follows those it names, else in the order given. Raises ValueError for a circle."""
    known, done, rest = {s.name for s in steps}, [], list(steps)
    names: set[str] = set()
    while rest:
        ready = next((s for s in rest if not (set(s.after) & known) - names), None)
        if ready is None:
            raise ValueError(f"these steps wait for each other: {', '.join(s.name for s in rest)}")
        rest.remove(ready)
        done.append(ready)
        names.add(ready.name)
    return tuple(done)
