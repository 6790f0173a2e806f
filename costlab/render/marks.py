"""The little bars and lines inside tables and tiles, as SVG written by hand: thirty of them cost nothing."""

from html import escape

from costlab.render.context import Mark, Part, Spark, Split

_WIDTH, _HEIGHT = 96, 8
_SPARK_HEIGHT = 22


def draw(mark: Mark) -> str:
    """An `<svg>` element for a mark: decoration where a text stands beside it, an image with a name where none does."""
    return _split(mark) if isinstance(mark, Split) else _spark(mark)


def swatch(part: Part) -> str:
    """The legend's square of a part, as the charts draw it."""
    return f'<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">{_fill(part, 0, 10, 10)}</svg>'


def _split(split: Split) -> str:
    drawn, at = [], 0.0
    for part, share in split.shares:
        width = max(0.0, min(share, 1.0)) * _WIDTH
        if width > 0:
            drawn.append(_fill(part, at, width, _HEIGHT))
        at += width
    track = f'<rect class="track" width="{_WIDTH}" height="{_HEIGHT}"/>'
    return (
        f'<svg class="split" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{track}{''.join(drawn)}</svg>"
    )


def _fill(part: Part, at: float, width: float, height: float) -> str:
    box = f'<rect class="{part}" x="{at:.1f}" width="{width:.1f}" height="{height:g}"/>'
    if part is not Part.UNOBSERVED:
        return box
    lines = "".join(
        f"M{x:.1f},{height:g}L{min(x + 3, at + width):.1f},0" for x in _every(3.0, at, at + width - 0.5)
    )
    box = f'<rect class="{part}" x="{at + 0.5:.1f}" y="0.5" width="{max(0.1, width - 1):.1f}" height="{height - 1:g}"/>'
    return f'{box}<path class="hatch" d="{lines}"/>'


def _spark(spark: Spark) -> str:
    """Over a line at zero, so that its height can be seen."""
    known = [value for value in spark.values if value is not None]
    if not known:
        return ""
    top = max(*known, 1e-9)
    gap = (_WIDTH - 6) / max(1, len(spark.values) - 1)
    points = [
        None if value is None else (3 + i * gap, _SPARK_HEIGHT - 3 - (_SPARK_HEIGHT - 6) * value / top)
        for i, value in enumerate(spark.values)
    ]
    path, pen_down = "", False
    for point in points:
        if point is not None:
            path += f"{'L' if pen_down else 'M'}{point[0]:.1f},{point[1]:.1f}"
        pen_down = point is not None
    end = points[-1]
    dot = f'<circle cx="{end[0]:.1f}" cy="{end[1]:.1f}" r="2.2"/>' if end else ""
    name = f'role="img" aria-label="{escape(spark.label)}"' if spark.label else 'aria-hidden="true"'
    zero = f'<path class="zero" d="M3,{_SPARK_HEIGHT - 3}H{_WIDTH - 3}"/>'
    return f'<svg class="spark" viewBox="0 0 {_WIDTH} {_SPARK_HEIGHT}" {name}>{zero}<path d="{path}"/>{dot}</svg>'


def _every(gap: float, start: float, end: float) -> list[float]:
    return [start + gap * i for i in range(max(0, int((end - start) // gap) + 1))]
