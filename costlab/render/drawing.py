"""A plot of SVG shapes: data in, places on the page's grid out, the same bytes every time."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float]

FONT = 11.0
_WIDE_AS = (
    0.66  # of its height is a character of an amount in the widest of the fonts that a page may be shown in
)
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_STEPS = 4
_GAP = 6.0  # between a label and what it names


def steps_to(top: float) -> list[float]:
    """Round amounts from 0 up to the top, at most five of them."""
    size = 10.0 ** math.floor(math.log10(top / _MOST_STEPS))
    # 1e-9: 4 * 2.5 is no more than 10, whatever the doubles say.
    step = next(size * each for each in _STEPS if top / (size * each) <= _MOST_STEPS * (1 + 1e-9))
    return [i * step for i in range(_MOST_STEPS + 1) if i * step <= top * (1 + 1e-9)]


def number(value: float) -> str:
    """A length as short as is exact enough for any screen."""
    return f"{round(value, 2):g}"


def length(text: str, size: float = FONT) -> float:
    """How long a text is at most, in points."""
    return len(text) * _WIDE_AS * size


@dataclass(slots=True)
class Plot:
    """What is drawn, in points. across: the data that lie at its left and right edge; top: the amount at its upper one."""

    width: float
    height: float
    across: tuple[float, float]
    top: float
    amount: Callable[[float], str]
    shapes: list[str] = field(default_factory=list)
    _left: float = 0.0

    def __post_init__(self) -> None:
        """Draw what lies below all else: the amounts at the left, each with its line."""
        ticks = [(each, self.amount(each)) for each in steps_to(self.top)]
        self._left = _GAP + max(length(text) for _, text in ticks)
        for each, text in ticks:
            y = self.y(each)
            self.shapes.append(self._line([(self._left, y), (self._right, y)], "rule", 0.8))
            self._text(text, (self._left - _GAP, y + FONT * 0.36), "muted", "end")

    @property
    def _right(self) -> float:
        return self.width - 10.0

    def x(self, value: float) -> float:
        """Where a value lies from the left."""
        low, high = self.across
        return self._left + (value - low) / (high - low) * (self._right - self._left)

    def y(self, amount: float) -> float:
        """Where an amount lies from above."""
        bottom = self.height - FONT * 1.8
        return bottom - amount / self.top * (bottom - 3.0)

    def days(self, names: Iterable[tuple[float, str]]) -> None:
        """Names below the plot; one that would stand out at the right ends with the picture."""
        for value, name in names:
            room = self.width - length(name) / 2
            self._text(name, (min(self.x(value), room), self.height - FONT * 0.5), "muted", "middle")

    def bars(self, boxes: Iterable[tuple[float, float, float, float]], paint: str) -> None:
        """Boxes of (left, right, from, to) as one shape; paint: attributes."""
        path = "".join(
            f"M{number(self.x(left))} {number(self.y(low))}V{number(self.y(high))}"
            f"H{number(self.x(right))}V{number(self.y(low))}z"
            for left, right, low, high in boxes
        )
        if path:
            self.shapes.append(f'<path d="{path}" {paint}/>')

    def line(self, points: Sequence[Point], colour: str, width: float, dashes: str = "") -> None:
        """A line through data; nothing without two points."""
        if len(points) > 1:
            self.shapes.append(self._line(self._placed(points), colour, width, dashes))

    def levels(self, stretches: Iterable[tuple[float, float, float]], colour: str, width: float) -> None:
        """Level lines of (left, right, amount) as one shape."""
        path = "".join(
            f"M{number(self.x(left))} {number(self.y(level))}H{number(self.x(right))}"
            for left, right, level in stretches
        )
        if path:
            self.shapes.append(
                f'<path d="{path}" fill="none" stroke="var(--{colour})" stroke-width="{width:g}"/>'
            )

    def area(self, upper: Sequence[Point], lower: Sequence[Point], colour: str, opacity: float) -> None:
        """What lies between two lines."""
        if len(upper) > 1:
            path = _path([*self._placed(upper), *self._placed(lower)[::-1]])
            self.shapes.append(f'<path d="{path}z" fill="var(--{colour})" opacity="{opacity:g}"/>')

    def dot(self, at: Point, colour: str) -> None:
        """A point of a line that is told of."""
        self.shapes.append(
            f'<circle cx="{number(self.x(at[0]))}" cy="{number(self.y(at[1]))}" r="3.5" fill="var(--{colour})"/>'
        )

    def label(
        self, text: str, at: Point, offset: Point = (0.0, 0.0), *,
        anchor: str = "start", colour: str = "text", bold: bool = False, upright: bool = False, size: float = FONT,
    ) -> None:  # fmt: skip
        """A text beside a place, moved by so many points to the right and up; upright: read from below.

        Paper surrounds it, so that it is read above bars and lines too; upright ones stand so close that it would cover others.
        """
        place = self.x(at[0]) + offset[0], self.y(at[1]) - offset[1]
        self._text(text, place, colour, anchor, bold=bold, upright=upright, size=size, on_paper=not upright)

    def svg(self, name: str, words: str, definitions: str = "") -> str:
        """The whole as an `<svg>` element of that class, with what it shows in words."""
        head = (
            f'<svg class="chart {name}" viewBox="0 0 {number(self.width)} {number(self.height)}" role="img"'
        )
        named = f' aria-label="{escape(words)}" xmlns="http://www.w3.org/2000/svg" stroke-linejoin="round">'
        defined = [f"<defs>{definitions}</defs>"] if definitions else []
        return "\n".join([head + named, *defined, *self.shapes, "</svg>"])

    def _placed(self, points: Sequence[Point]) -> list[Point]:
        return [(self.x(value), self.y(amount)) for value, amount in points]

    def _line(self, places: Sequence[Point], colour: str, width: float, dashes: str = "") -> str:
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        return f'<path d="{_path(places)}" fill="none" stroke="var(--{colour})" stroke-width="{width:g}"{dashed}/>'

    def _text(
        self, text: str, at: Point, colour: str, anchor: str, *,
        bold: bool = False, upright: bool = False, size: float = FONT, on_paper: bool = False,
    ) -> None:  # fmt: skip
        x, y = number(at[0]), number(at[1])
        turned = f' transform="rotate(-90 {x} {y})"' if upright else ""
        weight = ' font-weight="700"' if bold else ""
        paper = ' stroke="var(--paper)" stroke-width="3" paint-order="stroke"' if on_paper else ""
        self.shapes.append(
            f'<text x="{x}" y="{y}" font-size="{size:g}px" text-anchor="{anchor}"{weight} fill="var(--{colour})"{paper}{turned}>'
            f"{escape(text)}</text>"
        )


def _path(places: Sequence[Point]) -> str:
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in places)
