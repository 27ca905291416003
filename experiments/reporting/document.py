"""The parts of a report as plain text. html.py and markdown.py format and escape them."""

from typing import NamedTuple


class Heading(NamedTuple):
    level: int
    text: str
    anchor: str = ""


class Paragraph(NamedTuple):
    """kind: "" or quiet (small print) or caution."""

    text: str
    kind: str = ""


class Cell(NamedTuple):
    """kind: "" or one of good, bad, open (a verdict) or code; target: the anchor of a section."""

    text: str
    kind: str = ""
    target: str = ""


class Table(NamedTuple):
    """Cells are text or Cell; the first cell of a row is the row's title."""

    caption: str
    head: tuple[str, ...]
    rows: list[tuple]


class Items(NamedTuple):
    entries: list[str]


class Chart(NamedTuple):
    title: str
    svg: str  # The only text that is not escaped: curves.py makes it from numbers.


class Charts(NamedTuple):
    """legend: (name, color, dashes of an SVG line) of each arm, the same in all charts."""

    legend: list[tuple[str, str, str]]
    charts: list[Chart]


class Picture(NamedTuple):
    caption: str
    png: bytes
    address: str  # of the file, from the report's folder


class Pictures(NamedTuple):
    caption: str
    pictures: list[Picture]
