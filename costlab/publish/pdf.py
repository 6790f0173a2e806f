"""A page of HTML printed to PDF, by the Chromium that is there."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from costlab.domain.errors import ConfigError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
_PATIENCE_S = 90
_FLAGS = (
    "--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--no-pdf-header-footer",
)  # fmt: skip


def browser() -> Path:
    """The browser that prints. Raises ConfigError when there is none on the PATH."""
    for name in PROGRAMS:
        if found := shutil.which(name):
            return Path(found)
    raise ConfigError(
        "there is no Chromium on the PATH, and it is what prints PDF",
        "install chromium, or take -o html and print it from any browser",
    )


def printed(page: bytes, program: Path) -> bytes:
    """The page as PDF, on the paper that its own style names. The page may hold no script and fetch nothing: ours do not.

    Its bytes differ from run to run: Chromium puts the time into them. Raises ConfigError when the browser prints nothing.
    """
    with TemporaryDirectory(prefix="costlab-", ignore_cleanup_errors=True) as folder:
        source, target = Path(folder, "page.html"), Path(folder, "page.pdf")
        source.write_bytes(page)
        command = [
            str(program),
            *_FLAGS,
            # Chromium refuses to run in its sandbox as root, as which it runs in most containers.
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={target}",
            source.as_uri(),
        ]
        try:
            ended = subprocess.run(  # noqa: S603 - the browser that is there, on a page of our own
                command, capture_output=True, timeout=_PATIENCE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _no_pdf(program, type(error).__name__) from error
        if ended.returncode or not target.is_file():
            last = ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise _no_pdf(program, last[0] if last else f"it ended with {ended.returncode}")
        return target.read_bytes()


def _no_pdf(program: Path, fault: str) -> ConfigError:
    return ConfigError(f"{program} has printed no PDF: {fault}", "take -o html and print it from any browser")
