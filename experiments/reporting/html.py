"""A document as one HTML page that needs no server, no network and no script."""

import base64
import pathlib
import re
from html import escape as _escape

from experiments.reporting.document import Cell, Charts, Heading, Items, Paragraph, Pictures, Table

_PARTS = pathlib.Path(__file__).parent
_LINE = 30  # A cell with at most this many characters has no line break.


def escape(text: str) -> str:
    """Text in HTML, as ASCII, so that no name can end an element or change in another encoding."""
    return _escape(str(text)).encode("ascii", "xmlcharrefreplace").decode()


def _heading(block: Heading) -> str:
    name = f' id="{escape(block.anchor)}"' if block.anchor else ""
    return f"<h{block.level}{name}>{escape(block.text)}</h{block.level}>"


def _paragraph(block: Paragraph) -> str:
    kind = f' class="{escape(block.kind)}"' if block.kind else ""
    return f"<p{kind}>{escape(block.text)}</p>"


def _cell(cell: Cell, tag: str, is_text: bool, label: str) -> str:
    """A table cell. Text is left-aligned, and long text may have line breaks. Cards show the label."""
    text = escape(cell.text)
    if cell.target:
        text = f'<a href="#{escape(cell.target)}">{text}</a>'
    if cell.kind == "code":
        text = f"<code>{text}</code>"
    kinds = [cell.kind, "left" if is_text else "", "sentence" if len(cell.text) > _LINE else ""]
    kind = f' class="{" ".join(filter(None, kinds))}"' if any(kinds) else ""
    label = f' data-label="{escape(label)}"' if label else ""
    return f"<{tag}{kind}{label}>{text}</{tag.split()[0]}>"


def _is_text(column: list[Cell]) -> bool:
    """Whether most cells of a column begin with a letter, as names and sentences do."""
    return 2 * sum(cell.text[:1].isalpha() for cell in column) > len(column)


def _table(block: Table) -> str:
    """A table in a box that scrolls. On a narrow screen, a table of sentences becomes one card per row."""
    rows = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in block.rows]
    is_text = [index == 0 or _is_text([row[index] for row in rows]) for index in range(len(block.head))]
    cards = any(len(cell.text) > _LINE for row in rows for cell in row[1:])
    labels = ["", *block.head[1:]] if cards else [""] * len(is_text)
    head = "".join(
        f"""<th scope="col"{' class="left"' if left else ""}>{escape(name)}</th>"""
        for name, left in zip(block.head, is_text, strict=True)
    )
    tags = ['th scope="row"', *["td"] * (len(is_text) - 1)]
    body = "\n".join(f"<tr>{''.join(map(_cell, row, tags, is_text, labels))}</tr>" for row in rows)
    caption = escape(block.caption)
    return (
        f'<p class="caption">{caption}</p><div class="scroll" role="region" tabindex="0" aria-label="{caption}">'
        f'<table class="{"cards" if cards else "numbers"}"><thead><tr>{head}</tr></thead>'
        f"\n<tbody>{body}</tbody></table></div>"
    )


def _items(block: Items) -> str:
    return "<ul>" + "".join(f"<li>{escape(entry)}</li>" for entry in block.entries) + "</ul>"


def _charts(block: Charts) -> str:
    legend = "".join(
        f'<li><svg class="swatch" viewBox="0 0 30 10" aria-hidden="true"><line x1="0" y1="5" x2="30" y2="5" '
        f'stroke="{escape(color)}" stroke-dasharray="{escape(dashes)}"/></svg>{escape(name)}</li>'
        for name, color, dashes in block.legend
    )
    charts = "\n".join(
        f'<figure><figcaption>{escape(chart.title)}</figcaption><div role="img" aria-label="{escape(chart.title)}">'
        f"{chart.svg}</div></figure>"
        for chart in block.charts
    )
    return f'<ul class="legend">{legend}</ul>\n<div class="charts">{charts}</div>'


def _pictures(block: Pictures) -> str:
    figures = "\n".join(
        f'<figure><img alt="samples of {escape(p.caption)}" '
        f'src="data:image/png;base64,{base64.b64encode(p.png).decode()}"/><figcaption>{escape(p.caption)}</figcaption></figure>'
        for p in block.pictures
    )
    return f'<p class="quiet">{escape(block.caption)}</p>\n<div class="pictures">{figures}</div>'


_WRITERS = {
    Heading: _heading,
    Paragraph: _paragraph,
    Table: _table,
    Items: _items,
    Charts: _charts,
    Pictures: _pictures,
}


def page(title: str, blocks: list) -> str:
    """The HTML page. Its style and pictures are inside the page; the page loads nothing."""
    parts = {
        "TITLE": escape(title),
        "STYLE": (_PARTS / "style.css").read_text(encoding="ascii"),
        "BODY": "\n".join(_WRITERS[type(block)](block) for block in blocks),
    }
    # One pass, so that "@BODY@" in the report's own text is not replaced.
    template = (_PARTS / "page.html").read_text(encoding="ascii")
    return re.sub(r"@([A-Z]+)@", lambda match: parts[match[1]], template)
