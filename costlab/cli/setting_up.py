"""Commands to begin with: init, doctor, demo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.frame import Desk
from costlab.cli.options import Out, Output
from costlab.domain.errors import ConfigError, ExitCode

if TYPE_CHECKING:  # requests waits until somebody asks
    from costlab.config.settings import Cluster
    from costlab.jobs.doctor import Probe


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")] = Path(),
) -> None:
    """Write a commented costlab.yaml and prices.yaml; never overwrites."""
    from costlab.config.examples import write_examples

    for path in write_examples(folder):
        typer.echo(f"wrote {path}")
    typer.echo("next: set clusters[0].prometheus.url, then run `costlab doctor`", err=True)


def doctor(
    ctx: typer.Context,
    files: Annotated[
        bool, typer.Option("--files", help="Only the lake, but every file of it: each is read and verified.")
    ] = False,
    output: Output = None,
    out: Out = None,
) -> None:
    """Check configuration, lake and Prometheus; each line is OK, WARN or FAIL, with the mend."""
    import pyarrow as pa

    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.jobs.doctor import Status, examine, lake_files

    desk: Desk = ctx.obj
    settings = desk.settings()
    checks = (
        lake_files(settings)
        if files
        else examine(settings, now=desk.now, probe_of=_probe_of, environ=desk.environ)
    )
    rows = [
        {"status": c.status.value, "check": c.subject, "found": c.text, "mend": c.mend or None}
        for c in checks
    ]
    show(Answer("costlab.doctor/1", pa.Table.from_pylist(rows)), output, out)
    if any(check.status is Status.FAIL for check in checks):
        raise typer.Exit(ExitCode.DOCTOR_FAILED)


def demo(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder for the lake and the reports.")] = Path(
        "costlab-demo"
    ),
    days: Annotated[int, typer.Option("--days", min=1, max=30, help="How many days to measure.")] = 30,
) -> None:
    """Run the main job on the embedded synthetic cluster: no network, no configuration; prints the report's path."""
    from costlab.cli.logs import voice
    from costlab.jobs.demo import demo as job

    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder", "name another: costlab demo FOLDER")
    with voice(ctx.obj) as told:
        page = job(folder, days=days, say=told.say)
    typer.echo(page)


def _probe_of(cluster: "Cluster") -> "Probe":
    from costlab.jobs.doctor import PrometheusProbe

    return PrometheusProbe(cluster.prometheus)
