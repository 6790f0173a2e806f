"""`costlab deploy`: the files that run it every night; nothing is applied here."""

import sys
from typing import Annotated

import typer

from costlab.cli.options import Out
from costlab.domain.deployment import DeployFile
from costlab.domain.errors import ConfigError


def deploy(
    file: Annotated[
        DeployFile | None, typer.Argument(metavar="[FILE]", help="Without one they are listed.")
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", metavar="NAME", help="Of Kubernetes objects.", show_default="costlab"),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option("--image", metavar="NAME", help="Of the CronJob.", show_default="costlab:VERSION"),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            "--schedule",
            metavar="CRON",
            help="Of cronjob, airflow and cron, in the lake's time zone.",
            show_default="30 1 * * *",
        ),
    ] = None,
    out: Out = None,
) -> None:
    """Print a file that deploys costlab with the least privileges: docs/deploy.md; applies nothing."""
    from costlab.publish.files import put_out
    from costlab.render.deployment import deployment

    chosen = {"namespace": namespace, "image": image, "schedule": schedule}
    if file is None:
        if any(chosen.values()) or out:
            raise ConfigError("no file is named", "`costlab deploy` lists them")
        for each in DeployFile:
            typer.echo(f"{each:20}{each.what}")
        return
    text = deployment(file, chosen)
    if out is None:
        sys.stdout.write(text)
    else:
        put_out(out, text.encode())
