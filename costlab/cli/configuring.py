"""`costlab config`: what is set and by whom, what is wrong, what may stand there."""

import typer

from costlab.cli.frame import Desk
from costlab.cli.options import Out, Output

app = typer.Typer(no_args_is_help=True, help="Show, check and describe the configuration.")


@app.command()
def show(ctx: typer.Context, output: Output = None, out: Out = None) -> None:
    """Show every value and where it comes from; secrets stay hidden."""
    import pyarrow as pa

    from costlab.cli.formats import Answer
    from costlab.cli.show import show as print_answer
    from costlab.config.values import values

    desk: Desk = ctx.obj
    rows = [{"key": v.key, "value": v.text, "origin": v.origin} for v in values(desk.settings())]
    print_answer(Answer("costlab.config/1", pa.Table.from_pylist(rows)), output, out)


@app.command()
def check(ctx: typer.Context) -> None:
    """Find every fault of the configuration and the price book at once."""
    desk: Desk = ctx.obj
    settings = desk.settings()
    where = settings.file or f"no file (looked in {', '.join(map(str, settings.looked_in))}), defaults"
    typer.echo(f"OK: {where}: clusters: {', '.join(c.id for c in settings.clusters) or 'none'}")


@app.command()
def schema() -> None:
    """Print the JSON schema of costlab.yaml, for editors."""
    import orjson

    from costlab.config.settings import Configuration

    typer.echo(orjson.dumps(Configuration.model_json_schema(), option=orjson.OPT_INDENT_2).decode())
