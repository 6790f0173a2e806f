"""`costlab patch`: advice as manifests to review and apply; nothing is applied here."""

import sys
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, Namespace, Team
from costlab.cli.question import demand_known, say_unmatched
from costlab.domain.errors import ConfigError
from costlab.domain.manifests import ManifestForm

if TYPE_CHECKING:  # DuckDB and YAML wait until the command runs
    from costlab.render.manifests.forms import Files


def patch(
    ctx: typer.Context,
    workload: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORKLOAD]…",
            help="WORKLOAD, NAMESPACE/WORKLOAD or NAMESPACE/KIND/WORKLOAD; all without one.",
        ),
    ] = None,
    form: Annotated[ManifestForm, typer.Option("--format", help="What to write.")] = ManifestForm.KUBECTL,
    date: Annotated[
        str | None,
        typer.Option("--date", metavar="DATE", help="The advice of this day.", show_default="the latest"),
    ] = None,
    min_saving: Annotated[
        str | None,
        typer.Option("--min-saving", metavar="X", help="Only workloads that save so much a month, gross."),
    ] = None,
    raises_only: Annotated[bool, typer.Option("--raises-only", help="Only larger requests.")] = False,
    cuts_only: Annotated[bool, typer.Option("--cuts-only", help="Only smaller requests.")] = False,
    cpu_step: Annotated[
        str, typer.Option("--cpu-step", metavar="Q", help="CPU is rounded up to this.")
    ] = "1m",
    memory_step: Annotated[
        str, typer.Option("--memory-step", metavar="Q", help="Memory is rounded up to this.")
    ] = "1Mi",
    base: Annotated[
        str, typer.Option("--base", metavar="PATH", help="What the Kustomize overlay lies over.")
    ] = "../base",
    values_path: Annotated[
        str,
        typer.Option("--values-path", metavar="PATH", help="Where a chart reads a container's resources."),
    ] = "{workload}.{container}.resources",
    cluster: ClusterId = None,
    namespace: Namespace = None,
    team: Team = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE|DIR", help="One file (.yaml, .yml), or a folder of them."),
    ] = None,
) -> None:
    """Advice as kubectl patches, Kustomize, VPA objects or Helm values, with money and risk; applies nothing."""
    from costlab.domain.dates import parse_day
    from costlab.jobs.asked import Filters
    from costlab.jobs.rightsizing.named import Wanted, advice_named
    from costlab.jobs.rightsizing.patches import Choice, Shape, manifests, worth_a_patch
    from costlab.render.manifests.workload import Steps
    from costlab.store.lake import Lake
    from costlab.store.warehouse import Warehouse

    desk: Desk = ctx.obj
    choice = Choice(_amount(min_saving), raises=not cuts_only, cuts=not raises_only)
    if cuts_only and raises_only:
        raise ConfigError("--raises-only and --cuts-only exclude each other", "leave both out for all advice")
    steps = Steps(_step("--cpu-step", cpu_step), _step("--memory-step", memory_step))
    one_file = out is None or out.suffix in {".yaml", ".yml"}
    if one_file and form is ManifestForm.KUSTOMIZE:
        raise ConfigError("a Kustomize overlay is several files", "name a folder with --out")
    settings = desk.settings()
    lake = Lake.open(settings.lake)
    demand_known(cluster, lake, settings)
    day = parse_day(date, desk.now, lake.timezone).date if date else None
    wanted = [Wanted.parse(text) for text in workload or ()]
    warehouse, filters = Warehouse.over(lake), Filters(cluster, namespace, team)
    rows = advice_named(warehouse, filters, wanted, day)
    found = worth_a_patch(rows, choice)
    folder = "." if out is None else (out.parent if one_file else out).as_posix()
    file = out.name if out is not None and one_file else ""
    files = manifests(found, Shape(form, steps, folder, file, base, values_path))
    if not found:
        typer.echo("no advice to write: nothing that was asked for has a proposal", err=True)
        say_unmatched(warehouse, filters)
        return
    _put(files, out, one_file=one_file)


def _put(files: "Files", out: Path | None, *, one_file: bool) -> None:
    from costlab.jobs.rightsizing.patches import as_one
    from costlab.publish.files import put_out

    if out is None:
        sys.stdout.write(as_one(files))
    elif one_file:
        put_out(out, as_one(files).encode())
    else:
        for path, text in files.items():
            put_out(out / path, text.encode())


def _step(option: str, text: str) -> Fraction:
    from costlab.domain.units import parse_quantity

    try:
        step = parse_quantity(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}", "write 10m or 16Mi") from error
    if step <= 0:
        raise ConfigError(f"{option} {text} rounds nothing: it has to be above 0", "write 10m or 16Mi")
    return step


def _amount(text: str | None) -> Decimal | None:
    try:
        amount = None if text is None else Decimal(text)
    except InvalidOperation:
        amount = Decimal("nan")
    if amount is not None and not amount.is_finite():
        raise ConfigError(f"--min-saving {text!r} is no amount", "write 25 or 12.50")
    return amount
