"""`costlab export`: the lake's charges in the form of others."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from costlab.cli.frame import Desk
from costlab.cli.options import ClusterId, Out, Output, WindowText
from costlab.cli.question import Question, say_incomplete, warn
from costlab.domain.errors import ConfigError
from costlab.render import figures

if TYPE_CHECKING:  # DuckDB and requests wait until a command runs
    from collections.abc import Sequence

    import pyarrow as pa

    from costlab.jobs.indexing import Indexed

app = typer.Typer(no_args_is_help=True, help="Write the lake's charges in the form of others.")


class Form(StrEnum):
    """How rows are written that are never held all at once."""

    CSV = "csv"
    PARQUET = "parquet"


@app.command()
def focus(
    ctx: typer.Context,
    window: WindowText = "yesterday",
    cluster: ClusterId = None,
    provider: Annotated[
        str, typer.Option("--provider", metavar="NAME", help="Who provides the nodes, and bills them.")
    ] = "Kubernetes",
    output: Annotated[
        Form | None, typer.Option("-o", "--output", help="By default that of --out's suffix, else CSV.")
    ] = None,
    out: Out = None,
) -> None:
    """Write charges as FOCUS 1.3 rows: each node's cost split over its pods, idle and system."""
    from costlab import __version__
    from costlab.jobs.focus_export import VERSION, focus_rows, unpriced
    from costlab.publish.streams import write_csv, write_parquet

    form = output or (Form.PARQUET if out and out.suffix == ".parquet" else Form.CSV)
    question = Question.of(ctx.obj, window, cluster)
    warehouse, dates = question.warehouse, question.dates
    rows = focus_rows(warehouse, dates, cluster, question.lake.timezone, provider)
    with _opened(out, form) as file:
        if form is Form.CSV:
            write_csv(rows, file)
        else:
            write_parquet(rows, file, {"focus_version": VERSION, "data_generator": f"costlab {__version__}"})
    say_incomplete(question.quality())
    if charges := unpriced(warehouse, dates, cluster):
        warn(f"{figures.unpriced(charges)} left out")


@app.command()
def elasticsearch(
    ctx: typer.Context,
    window: WindowText = "yesterday",
    cluster: ClusterId = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also days that are there as the lake has them.")
    ] = False,
    output: Output = None,
    out: Out = None,
) -> None:
    """Bring days into the Elasticsearch or OpenSearch that the configuration names; what is there is replaced."""
    from costlab.cli.formats import Answer
    from costlab.cli.show import show
    from costlab.jobs.indexing import Indexer, days_in, demanded

    desk: Desk = ctx.obj
    named = demanded(desk.settings().elasticsearch)
    question = Question.of(desk, window, cluster)
    ids = [cluster] if cluster else question.lake.clusters()
    dates = question.dates
    days = [each for each in days_in(question.lake, ids) if dates.start <= each[1].date < dates.end]
    done = list(Indexer(named, desk.environ, again).index(question.lake, days))
    show(Answer("costlab.elasticsearch/1", _rows(done)), output, out)
    say_incomplete(question.quality())


def _rows(done: "Sequence[Indexed]") -> "pa.Table":
    import pyarrow as pa

    rows = [
        {
            "cluster": each.cluster,
            "date": each.day.date,
            "state": "sent" if each.sent else "unchanged",
            "documents": each.documents,
            "sent": each.sent,
            "deleted": each.deleted,
        }
        for each in done
    ]
    kinds = [("cluster", pa.string()), ("date", pa.date32()), ("state", pa.string())]
    counts = [(name, pa.int64()) for name in ("documents", "sent", "deleted")]
    return pa.Table.from_pylist(rows, schema=pa.schema([*kinds, *counts]))


@contextmanager
def _opened(out: Path | None, form: Form) -> Iterator[BinaryIO]:
    """Where the rows go: stdout, or a file that is written whole or not at all."""
    from costlab.store.durable import replacing

    if out is None:
        if form is Form.PARQUET and sys.stdout.isatty():
            raise ConfigError("Parquet is nothing to look at", "name a file with --out, or pipe it")
        yield sys.stdout.buffer
        return
    try:
        with replacing(out) as file:
            yield file
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written: {error.strerror}",
            "name another file with --out; its folder must exist",
        ) from error
