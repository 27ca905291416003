"""Parses the HTML pages that commands write."""

import html.parser


class Parsed(html.parser.HTMLParser):
    """texts: tag -> the texts of its elements. attributes: (tag, attributes) of every element."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.attributes, self.open = {}, [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.attributes.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "input"):
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][-1] += data

    def find(self, tag, **expected):
        (match,) = [a for name, a in self.attributes if name == tag and expected.items() <= a.items()]
        return match
