"""`kfimage finalize`: the cluster's own stack, from the control plane."""

from __future__ import annotations

import hashlib
import json as encoder
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional

import typer

from kfimage.cli.guard import guarded

if TYPE_CHECKING:
    from kfimage.finalize.step import Step

app = typer.Typer(name="finalize", rich_markup_mode=None, help="Bring the cluster's own stack (Kubeflow) to its end state, bounded and resumable.",
                  no_args_is_help=False)

STREAM = typer.Option(..., "--stream", metavar="FILE", help="The manifests, as `kustomize build` or `helm template` prints them.")
SHA256 = typer.Option(None, "--stream-sha256", metavar="HEX", help="Refuse a stream with another checksum.")
KUBECONFIG = typer.Option(None, "--kubeconfig", metavar="FILE", help="The cluster's kubeconfig; kubectl's own choice otherwise.")
JOURNAL = typer.Option(Path("finalize.journal"), "--journal", metavar="FILE", help="Where what was done is written down, line by line.")
ONLY = typer.Option([], "--only", metavar="STEP", help="Only this step. May be repeated.")
SKIP = typer.Option([], "--skip", metavar="STEP", help="Leave this step out. May be repeated.")
DEMO = typer.Option(False, "--insecure-demo", help="Install the passwords that Kubeflow publishes instead of generated ones.")
JSON = typer.Option(False, "--json", help="Print the result as JSON on stdout.")


@app.command()
@guarded
def lint(
    stream: Path = typer.Argument(..., metavar="STREAM", help="The manifests, as `kustomize build` or `helm template` prints them; - reads stdin."),
    kubernetes: str = typer.Option("1.25", "--kubernetes", metavar="VERSION", help="The version that decides which APIs are there."),
    strict: bool = typer.Option(False, "--strict", help="Treat warnings as errors."),
    json: bool = JSON,
    sarif: bool = typer.Option(False, "--sarif", help="Print the report as SARIF 2.1.0 on stdout."),
) -> None:
    """Tell what a stream would do to a cluster that its author did not mean. Needs no cluster."""
    from kfimage.cli.output import as_json, as_sarif, print_report
    from kfimage.cli.usage import reporting, wrong_use
    from kfimage.errors import Exit, Report
    from kfimage.finalize.lint import lint as examine
    from kfimage.finalize.stream import read

    found = re.match(r"v?1\.(\d{1,2})(?:\.\d+)?\Z", kubernetes)
    if not found:
        raise wrong_use(f"'{kubernetes}' is no version of Kubernetes", "as in 1.25")
    with reporting(json, sarif):
        report = Report()
        objects = read(_bytes(stream), str(stream), report)
        examine(objects, int(found[1]), report)
    if json or sarif:
        sys.stdout.write(as_json(report) if json else as_sarif(report))
    else:
        print_report(report)
    sys.stderr.write(f"read {_count(len(objects))} for Kubernetes 1.{found[1]}{'' if report else ': no problems'}\n")
    if report.failed(strict=strict):
        raise SystemExit(int(Exit.PROBLEM))


@app.command()
@guarded
def plan(
    stream: Path = STREAM, stream_sha256: Optional[str] = SHA256, kubeconfig: Optional[Path] = KUBECONFIG,
    only: List[str] = ONLY, skip: List[str] = SKIP, insecure_demo: bool = DEMO, json: bool = JSON,
) -> None:
    """Print each step with what is done and what is to do, and the waves of the stream. Changes nothing."""
    run = _Run(stream, stream_sha256, kubeconfig, only, skip, insecure_demo)
    states = run.look()
    if json:
        sys.stdout.write(encoder.dumps({"steps": states, "waves": run.waves()}, indent=1) + "\n")
        return
    _print_states(states)
    for wave in run.waves():
        kinds = ", ".join(f"{n} {kind}" for kind, n in wave["kinds"].items())
        gate = "; what follows waits for it" if wave["strict"] else ""
        sys.stdout.write(f"  wave {wave['wave']} {wave['name']}: {_count(wave['objects'])} ({kinds}){gate}\n")


@app.command()
@guarded
def verify(
    stream: Path = STREAM, stream_sha256: Optional[str] = SHA256, kubeconfig: Optional[Path] = KUBECONFIG,
    only: List[str] = ONLY, skip: List[str] = SKIP, insecure_demo: bool = DEMO, json: bool = JSON,
) -> None:
    """Look whether every step's end state holds. Changes nothing; exit code 1 when something is missing."""
    from kfimage.errors import Exit

    states = _Run(stream, stream_sha256, kubeconfig, only, skip, insecure_demo).look()
    if json:
        sys.stdout.write(encoder.dumps({"steps": states}, indent=1) + "\n")
    else:
        _print_states(states, every=True)
    if any(state["state"] != "done" for state in states):
        sys.stdout.flush()
        raise SystemExit(int(Exit.PROBLEM))


@app.command()
@guarded
def apply(
    stream: Path = STREAM, stream_sha256: Optional[str] = SHA256, kubeconfig: Optional[Path] = KUBECONFIG, journal: Path = JOURNAL,
    only: List[str] = ONLY, skip: List[str] = SKIP, insecure_demo: bool = DEMO, json: bool = JSON,
) -> None:
    """Bring every step to its end state. Starting again goes on where it was; what is there already is not sent again."""
    _Run(stream, stream_sha256, kubeconfig, only, skip, insecure_demo).apply(journal, json)


@app.command()
@guarded
def resume(journal: Path = JOURNAL, json: bool = JSON) -> None:
    """Go on with the last run of a journal, with the options it was given."""
    from kfimage.cli.usage import wrong_use

    last = next((e for e in reversed(_events(journal)) if e.get("event") == "run"), None)
    if last is None:
        raise wrong_use(f"{journal}: no run is written down there", "start one with `kfimage finalize apply --stream FILE`")
    kubeconfig = Path(last["kubeconfig"]) if last.get("kubeconfig") else None
    run = _Run(Path(last["stream"]), last["sha256"], kubeconfig, last["only"], last["skip"], last["insecure_demo"])
    run.apply(journal, json)


@app.command()
@guarded
def status(journal: Path = JOURNAL, json: bool = JSON) -> None:
    """Tell what the journal says of the last run. Asks no cluster; `verify` does."""
    from kfimage.cli.usage import wrong_use

    told = summary(_events(journal))
    if told is None:
        raise wrong_use(f"{journal}: no run is written down there", "start one with `kfimage finalize apply --stream FILE`")
    if json:
        sys.stdout.write(encoder.dumps(told, indent=1) + "\n")
        return
    sys.stdout.write(f"{told['stream']} started {told['started']}\n")
    for step in told["steps"]:
        sys.stdout.write(f"{step['step']}: {step['state']}{': ' + step['reason'] if step['reason'] else ''}\n")
        for missing in step["missing"]:
            sys.stdout.write(f"  {missing}\n")
    sys.stdout.write(f"{_count(told['sent'])} sent, {told['refused']} refused\n")


def summary(events: Sequence[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    """The last run of a journal, or None when there is none."""
    starts = [i for i, e in enumerate(events) if e.get("event") == "run"]
    if not starts:
        return None
    run, rest = events[starts[-1]], events[starts[-1] + 1 :]
    steps: dict[str, dict[str, Any]] = {name: {"step": name, "state": "not reached", "reason": "", "missing": []} for name in run["steps"]}
    for e in rest:
        if e.get("event") == "step" and e["step"] in steps:
            steps[e["step"]] = {"step": e["step"], "state": e["state"], "reason": e.get("reason", ""), "missing": e.get("missing", [])}
    codes = [e["code"] for e in rest if e.get("event") == "sent"]
    good = sum(200 <= code < 300 for code in codes)
    return {"stream": run["stream"], "started": run["time"], "steps": list(steps.values()), "sent": good, "refused": len(codes) - good}


def _count(objects: int) -> str:
    return f"{objects} object{'' if objects == 1 else 's'}"


def _events(journal: Path) -> Sequence[Mapping[str, Any]]:
    from kfimage.finalize.journal import history

    return history(journal)


def _bytes(path: Path) -> bytes:
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()


def _print_states(states: Sequence[Mapping[str, Any]], *, every: bool = False) -> None:
    for state in states:
        sys.stdout.write(f"{state['step']}: {state['state']}: {state['reason']}\n")
        shown = state["missing"] if every else state["missing"][:10]
        sys.stdout.writelines(f"  {missing}\n" for missing in shown)
        if len(shown) < len(state["missing"]):
            sys.stdout.write(f"  and {len(state['missing']) - len(shown)} more\n")


class _Clock:
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class _Run:
    """One run as it was asked for: its stream and its steps, before any cluster is spoken to."""

    def __init__(self, stream: Path, sha256: Optional[str], kubeconfig: Optional[Path], only: Sequence[str], skip: Sequence[str], demo: bool) -> None:
        from kfimage.errors import KfimageError, Report
        from kfimage.finalize import steps
        from kfimage.finalize.stream import read

        self.path, self.kubeconfig, self.only, self.skip, self.demo = stream, kubeconfig, list(only), list(skip), demo
        data = stream.read_bytes()
        self.digest = hashlib.sha256(data).hexdigest()
        _same(stream, self.digest, sha256)
        wanted = _chosen(steps.names(), only, skip)
        report = Report()
        self.stream = read(data, str(stream), report)
        if report.failed():
            raise KfimageError(report)
        self.steps: Sequence[Step] = steps.make(wanted, steps.Settings(self.stream, self.digest, demo))

    def waves(self) -> list[dict[str, Any]]:
        from kfimage.finalize.normalise import normalise
        from kfimage.finalize.waves import STRICT, waves

        return [
            {"wave": w.number, "name": w.name, "objects": len(w.objects), "strict": w.number in STRICT, "kinds": dict(Counter(o.kind for o in w.objects))}
            for w in waves(normalise(self.stream))
        ]

    def look(self) -> list[dict[str, Any]]:
        """Every step's state; what a step refuses outright is its reason."""
        from kfimage.errors import Exit, KfimageError
        from kfimage.finalize.cluster import Cluster, Proxy
        from kfimage.finalize.step import Todo

        states = []
        with Proxy(self.kubeconfig) as proxy:
            cluster = Cluster(proxy)
            cluster.version()
            for step in self.steps:
                try:
                    state = step.check(cluster)
                except KfimageError as error:
                    if error.code is Exit.REFUSED:
                        raise
                    states.append({"step": step.name, "state": "refused", "reason": f"{len(error.report)} problems", "missing": [str(p) for p in error.report]})
                    continue
                todo = isinstance(state, Todo)
                states.append({"step": step.name, "state": "todo" if todo else "done", "reason": state.reason,
                               "missing": [str(m) for m in state.missing] if isinstance(state, Todo) else []})
        return states

    def apply(self, journal: Path, json: bool) -> None:
        from kfimage.errors import KfimageError
        from kfimage.finalize.cluster import Cluster, Proxy
        from kfimage.finalize.execute import run
        from kfimage.finalize.journal import Journal

        with Journal(journal) as book, Proxy(self.kubeconfig) as proxy:
            cluster = Cluster(proxy)
            cluster.version()
            book.write({
                "event": "run", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "stream": str(self.path.absolute()), "sha256": self.digest,
                "kubeconfig": str(self.kubeconfig.absolute()) if self.kubeconfig else None, "only": self.only, "skip": self.skip,
                "insecure_demo": self.demo, "steps": [s.name for s in self.steps],
            })
            screen = _Screen()

            def note(event: Mapping[str, object]) -> None:
                book.write(event)
                screen.show(event)

            try:
                ran = run(self.steps, cluster, _Clock(), note)
            except KfimageError as error:
                if json:
                    from kfimage.cli.output import as_json

                    sys.stdout.write(encoder.dumps({"done": False, "sent": cluster.sends, "problems": encoder.loads(as_json(error.report))}, indent=1) + "\n")
                raise
        if json:
            told = [{"step": r.step, "changed": r.changed, "reason": r.reason, "seconds": round(r.seconds, 1)} for r in ran]
            sys.stdout.write(encoder.dumps({"done": True, "sent": cluster.sends, "steps": told}, indent=1) + "\n")
        changed = [r.step for r in ran if r.changed]
        sys.stderr.write(f"done: {_count(cluster.sends)} sent; " + (f"changed {', '.join(changed)}\n" if changed else "nothing had to be changed\n"))


def _chosen(known: Sequence[str], only: Sequence[str], skip: Sequence[str]) -> list[str]:
    from kfimage.cli.usage import wrong_use
    from kfimage.errors import did_you_mean

    for name in (*only, *skip):
        if name not in known:
            raise wrong_use(f"no step '{name}'", did_you_mean(name, known))
    chosen = [name for name in known if (not only or name in only) and name not in skip]
    if not chosen:
        raise wrong_use("no step is left", "--only and --skip together leave nothing to do")
    return chosen


def _same(stream: Path, digest: str, wanted: Optional[str]) -> None:
    if wanted is not None and wanted.lower() != digest:
        from kfimage.errors import Exit, KfimageError, Mark, Report
        from kfimage.finalize.stream import OTHER_STREAM

        report = Report()
        report.add(OTHER_STREAM, Mark(str(stream)), f"its sha256 is {digest}, not {wanted.lower()}")
        raise KfimageError(report, Exit.INTEGRITY)


class _Screen:
    """What a run is doing, on stderr: a line whenever that changes, and on a terminal one that is drawn over."""

    def __init__(self) -> None:
        self._last = ""
        self._sent = 0
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, event: Mapping[str, Any]) -> None:
        kind = event.get("event")
        if kind == "sent":
            self._sent += 1
            if not 200 <= event["code"] < 300:
                self._line(f"  {event['object']}: {event['code']} {event.get('cause', '')}")
            elif self._live:
                sys.stderr.write(f"\r\x1b[K  {self._sent} sent")
                sys.stderr.flush()
        elif kind == "wave":
            self._line(f"wave {event['wave']} {event['name']}: sending {event['send']} of {_count(event['of'])}")
        elif kind == "step":
            self._step(event)

    def _step(self, event: Mapping[str, Any]) -> None:
        missing = event.get("missing") or []
        first = f" (first: {missing[0]})" if missing else ""
        text = f"{event['step']}: {event['state']}{': ' + event['reason'] if event.get('reason') else ''}{first}"
        if text != self._last and event["state"] != "checking":
            self._last = text
            self._line(text)

    def _line(self, text: str) -> None:
        from kfimage.errors import one_line

        sys.stderr.write(("\r\x1b[K" if self._live else "") + one_line(text) + "\n")
