"""Finds in a rendered page what a Persian reader should not meet: Latin words, ASCII digits.

``latin_phrases`` and ``ascii_numbers`` return what people would read; ``changed_for_machines``
returns attributes that scripts and servers read and that were made Persian by mistake.
"""

import re
from html.parser import HTMLParser

# Codes, references, what was typed, and texts that say which language they are in.
LEFT_ALONE = {"script", "style", "pre", "code", "bdi", "textarea", "svg"}
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
READ_ALOUD = {"title", "placeholder", "alt", "aria-label", "aria-description", "abbr"}
MADE_PERSIAN_BY_SCRIPT = {"sortpriority", "action-counter"}
NAMES = {"admin", "csv", "xlsx", "utf-8", "cp1256", "json"}
PHRASE = re.compile(r"[A-Za-z][A-Za-z'’-]*")
PERSIAN_DIGIT = re.compile("[۰-۹٠-٩]")


class Page(HTMLParser):
    """The texts that people read and the attributes that machines read, each with its element."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.texts, self.attributes = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = {name: value or "" for name, value in attrs}
        alone = tag in LEFT_ALONE or attrs.get("lang") == "en" or attrs.get("dir") == "ltr"
        alone = alone or attrs.get("class") in MADE_PERSIAN_BY_SCRIPT
        for name, value in attrs.items():
            spoken = name in READ_ALOUD or (name.startswith("data-") and " " in value)
            button = tag == "input" and name == "value" and attrs.get("type") == "submit"
            if (spoken or button) and not self.is_alone() and not alone and "{" not in value:
                self.texts.append(value)
            elif not spoken and not button:
                self.attributes.append((tag, name, value, attrs))
        if tag not in VOID:
            self.open.append((tag, alone))

    def handle_endtag(self, tag):
        while self.open and any(tag == name for name, _alone in self.open):
            if self.open.pop()[0] == tag:
                break

    def handle_data(self, data):
        if not self.is_alone() and data.strip():
            self.texts.append(" ".join(data.split()))

    def is_alone(self):
        return any(alone for _tag, alone in self.open)


def latin_phrases(html, allowed=()):
    """Return the texts with a Latin word that is no code and not among those allowed."""
    allowed = NAMES | {word.lower() for word in allowed}
    return [
        text
        for text in Page(html).texts
        if any(word.lower() not in allowed for word in latin_words(text))
    ]


def latin_words(text):
    """Return the Latin words of a text, without those that are part of a code such as REC-12."""
    plain = [token for token in text.split() if not re.search(r"[0-9@/_.#=+]", token)]
    return PHRASE.findall(" ".join(plain))


def ascii_numbers(html):
    """Return the texts with a short ASCII number that stands alone, as in «3 مورد»."""
    return [
        text
        for text in Page(html).texts
        if any(re.fullmatch(r"[(«]?[0-9]{1,3}[)»،.:]?", token) for token in text.split())
    ]


def changed_for_machines(html):
    """Return element and attribute where an id, address or hidden value has Persian digits."""
    wrong = []
    for tag, name, value, attrs in Page(html).attributes:
        typed = name == "value" and tag == "input" and attrs.get("type", "text") == "text"
        if (
            PERSIAN_DIGIT.search(value)
            and not typed
            and name not in ("data-filter-title", "content")
        ):
            wrong.append(f"<{tag} {name}={value!r}>")
    return wrong
