"""The commands. Everything they need is imported inside them, so that `--help` stays quick."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional

import typer

from kfimage.cli import finalize
from kfimage.cli.guard import guarded

app = typer.Typer(
    name="kfimage",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="One description of a site becomes everything a bare-metal node needs.",
)

SITE = typer.Option(None, "--site", metavar="FILE", help="Site description; ./site.yaml where there is one, else built-in defaults.")
STRICT = typer.Option(False, "--strict", help="Treat warnings as errors.")
JSON = typer.Option(False, "--json", help="Print the report as JSON on stdout.")
SARIF = typer.Option(False, "--sarif", help="Print the report as SARIF 2.1.0 on stdout.")
IGNORE = typer.Option([], "--ignore", metavar="ID", help="Leave a check out, by id; recorded in index.json. May be repeated.")


@app.callback(invoke_without_command=True)
def top(context: typer.Context, version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    """One description of a site becomes everything a bare-metal node needs."""
    if version:
        from kfimage import __version__

        typer.echo(f"kfimage {__version__}")
        raise typer.Exit(0)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@app.command()
@guarded
def init(
    path: Path = typer.Argument(Path("site.yaml"), metavar="[PATH]", help="The file to write, or the folder to write site.yaml into."),
    force: bool = typer.Option(False, "--force", help="Overwrite what is there."),
) -> None:
    """Write a first, commented site.yaml, and its schema for editors beside it."""
    from kfimage.cli.init import run

    run(path, force=force)


@app.command()
@guarded
def schema() -> None:
    """Print the grammar of site.yaml as JSON Schema (draft 7)."""
    from kfimage.cli.init import schema_text

    typer.echo(schema_text(), nl=False)


@app.command()
@guarded
def render(
    role: List[str] = typer.Option([], "--role", metavar="ROLE", help="Only this role. May be repeated."),
    node: List[str] = typer.Option([], "--node", metavar="NODE", help="Only this node. May be repeated."),
    site: Optional[Path] = SITE,
    output: str = typer.Option("out", "--output", "-o", metavar="DIR", help="Where the tree goes; - prints the one kickstart."),
    format: str = typer.Option("tree", "--format", metavar="NAME", help="What is written."),
    strict: bool = STRICT,
    ignore: List[str] = IGNORE,
    json: bool = JSON,
    sarif: bool = SARIF,
) -> None:
    """Write kickstarts, first-boot payload and boot files, proven before anything is written."""
    from kfimage.cli.render import run

    run(role, node, site, output, format, strict, ignore, json, sarif)


@app.command()
@guarded
def check(
    paths: List[str] = typer.Argument(
        ...,
        metavar="PATH...",
        help="Rendered trees, kickstarts, units, shell scripts, boot files, site.yaml, or folders of these; - reads stdin.",
    ),
    release: Optional[str] = typer.Option(
        None,
        "--release",
        metavar="NAME",
        help="The OS release that decides what is right: a kickstart's own, if kfimage wrote it, else rhel-8.7.",
    ),
    strict: bool = STRICT,
    ignore: List[str] = typer.Option([], "--ignore", metavar="ID", help="Leave a check out, by id. May be repeated."),
    json: bool = JSON,
    sarif: bool = SARIF,
) -> None:
    """Prove a rendered tree, or anyone's kickstarts, units, scripts and sites. Writes nothing."""
    from kfimage.cli.check import run

    run(paths, release, strict, ignore, json, sarif)


@app.command()
@guarded
def explain(
    name: Optional[str] = typer.Argument(None, metavar="NODE|ROLE", help="A node of the site, or a role."),
    key: Optional[str] = typer.Argument(None, metavar="[KEY]", help="A dotted key, as in kubernetes.pods; every key otherwise."),
    line: Optional[int] = typer.Option(None, "--line", metavar="N", help="Tell where line N of the kickstart comes from."),
    check: Optional[str] = typer.Option(None, "--check", metavar="ID", help="Tell what a check looks for, why, and what to do."),
    step: Optional[str] = typer.Option(
        None, "--step", metavar="NAME", help="Tell what a first-boot step does and how it differs from the guide."
    ),
    site: Optional[Path] = SITE,
) -> None:
    """Tell which layer, file and line gave a value, where a kickstart line comes from, or what a check or step is."""
    from kfimage.cli.explain import run

    run(name, key, line, check, step, site)


@app.command()
@guarded
def diff(
    old: Path = typer.Argument(..., metavar="OLD", help="A rendered tree or a site.yaml."),
    new: Path = typer.Argument(..., metavar="NEW", help="The same kind of thing."),
    json: bool = typer.Option(False, "--json", help="Print the differences as JSON."),
) -> None:
    """Compare two trees or two sites by meaning, node by node. Exit code 3 when they differ."""
    from kfimage.cli.diff import run

    run(old, new, json)


@app.command()
@guarded
def steps(
    role: Optional[str] = typer.Option(None, "--role", metavar="ROLE", help="Only the steps of this role, in its order."),
    site: Optional[Path] = SITE,
    json: bool = typer.Option(False, "--json", help="Print the table as JSON."),
) -> None:
    """List the first-boot steps: order, the guide's steps they serve, and the roles that have them."""
    from kfimage.cli.steps import run

    run(role, site, json)


app.add_typer(finalize.app, name="finalize")
