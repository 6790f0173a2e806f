"""`--plot FILE`: a picture beside the answer."""

from pathlib import Path

from costlab.domain.errors import ConfigError


def refuse_form(plot: Path | None) -> None:
    """Raise ConfigError for a picture that cannot be drawn; before anything is asked, for it may take long."""
    if plot is not None and plot.suffix not in (".svg", ".png"):
        raise ConfigError(f"--plot {plot} is no image that is known", "name a file that ends in .svg or .png")


def form_of(plot: Path) -> str:
    """The form that its name says: svg or png."""
    return plot.suffix.removeprefix(".")


def save_plot(plot: Path, picture: bytes) -> None:
    """Write it whole or not at all; raises ConfigError when it cannot be written."""
    from costlab.store.durable import write_atomically

    try:
        write_atomically(plot, picture)
    except OSError as error:
        raise ConfigError(
            f"{plot} cannot be written: {error.strerror}",
            "name another file with --plot; its folder must exist",
        ) from error
