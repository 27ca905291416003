"""A document as Markdown: tables, and pictures by their addresses. Only the HTML page has the charts."""

import html
import re
from collections.abc import Iterable

from experiments.reporting.document import Cell, Charts, Heading, Items, Paragraph, Pictures, Table


def escape(text: str) -> str:
    """Text that Markdown shows unchanged: it makes no HTML element, no link and no end of a table cell."""
    text = html.escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"([\\`*_\[\]|!])", r"\\\1", text)


def commit(full: str) -> str:
    """The first 12 digits of a git commit. A "+changes" at the end (uncommitted changes) is kept."""
    digits, plus, changes = full.partition("+")
    return digits[:12] + plus + changes


def _cell(cell: str | Cell) -> str:
    cell = cell if isinstance(cell, Cell) else Cell(cell)
    if cell.kind == "code":
        return f"`{' '.join(cell.text.split()).replace('`', ' ').replace('|', ' ')}`"
    return f"[{escape(cell.text)}](#{cell.target})" if cell.target else escape(cell.text)


def table(head: Iterable, rows: Iterable[Iterable]) -> str:
    """A Markdown table. Cells are numbers or Markdown; they are not escaped."""
    head = list(head)
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (head, ["---"] * len(head), *rows))


def _table(block: Table) -> str:
    rows = [[_cell(cell) for cell in row] for row in block.rows]
    return f"{escape(block.caption)}\n\n" + table([escape(name) or " " for name in block.head], rows)


def _heading(block: Heading) -> str:
    name = f'<a id="{html.escape(block.anchor)}"></a>\n\n' if block.anchor else ""
    return f"{name}{'#' * block.level} {escape(block.text)}"


def _pictures(block: Pictures) -> str:
    pictures = " ".join(f"{escape(p.caption)}: ![samples]({p.address})" for p in block.pictures)
    return f"{escape(block.caption)}\n\n{pictures}"


_WRITERS = {
    Heading: _heading,
    Paragraph: lambda block: escape(block.text),
    Table: _table,
    Items: lambda block: "\n".join(f"- {escape(entry)}" for entry in block.entries),
    Charts: lambda block: "Curves: python -m experiments.report writes report.html, which has them.",
    Pictures: _pictures,
}


def page(blocks: list) -> str:
    return "\n\n".join(_WRITERS[type(block)](block) for block in blocks) + "\n"
