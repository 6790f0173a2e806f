"""`costlab` and `python -m costlab`."""

import codecs
import io
import os
import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # Read when pyarrow is imported. Its own pool keeps what it freed for itself: on a day of 61 M samples 100 MB more.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    for stream in (sys.stdout, sys.stderr):
        # A terminal of another encoding is shown ? for what it lacks, such as a dash.
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors="replace")
    try:
        # Imported here: an interruption while they are is one like any other.
        from costlab.cli.app import app  # noqa: PLC0415
        from costlab.cli.frame import on_signals  # noqa: PLC0415

        on_signals()
        app(prog_name="costlab")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - the last words of the process
        sys.exit(130)


if __name__ == "__main__":
    main()
