"""`costlab` and `python -m costlab`."""

from costlab.cli.app import app
from costlab.cli.frame import on_terminate


def main() -> None:
    """Run the command line and end the process with its exit code."""
    on_terminate()
    app(prog_name="costlab")


if __name__ == "__main__":
    main()
