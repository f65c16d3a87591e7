"""Reads a page's form as a browser would send it."""

from collections import defaultdict
from dataclasses import dataclass
from html.parser import HTMLParser


class FormReader(HTMLParser):
    def __init__(self, form_id):
        super().__init__()
        self.form_id = form_id
        self.inside = False
        self.fields = []
        self.select = None
        self.textarea = None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.inside = attrs.get("id") == self.form_id
        if not self.inside or "disabled" in attrs:
            return
        name = attrs.get("name")
        if tag == "input" and name:
            kind = attrs.get("type", "text")
            if kind in ("submit", "button", "image", "reset", "file"):
                return
            if kind in ("checkbox", "radio") and "checked" not in attrs:
                return
            self.fields.append((name, attrs.get("value", "on" if kind == "checkbox" else "")))
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select and "selected" in attrs:
            self.fields.append((self.select, attrs.get("value", "")))
        elif tag == "textarea":
            self.textarea = [name, ""]

    def handle_data(self, data):
        if self.textarea:
            self.textarea[1] += data

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False
        elif tag == "select":
            self.select = None
        elif tag == "textarea" and self.textarea:
            # The first line break after the tag belongs to the markup.
            self.fields.append((self.textarea[0], self.textarea[1].removeprefix("\n")))
            self.textarea = None


def form_fields(html, form_id):
    """Return the names and values that a browser would send for a form, as a dict."""
    reader = FormReader(form_id)
    reader.feed(html)
    return dict(reader.fields)


@dataclass
class Form:
    """A form of a page that is sent by POST, as its page would send it."""

    action: str
    takes_file: bool
    fields: dict[str, list[str]]


class PostedFormReader(FormReader):
    def __init__(self):
        super().__init__(form_id=None)
        self.forms = []

    def handle_starttag(self, tag, attrs):
        super().handle_starttag(tag, attrs)
        if tag == "form":
            told = dict(attrs)
            self.inside = told.get("method", "get").lower() == "post"
            self.fields = []
            if self.inside:
                takes_file = told.get("enctype") == "multipart/form-data"
                self.forms.append((told.get("action") or "", takes_file, self.fields))


def posted_forms(html):
    """Return the forms of a page that are sent by POST."""
    reader = PostedFormReader()
    reader.feed(html)
    found = []
    for action, takes_file, pairs in reader.forms:
        fields = defaultdict(list)
        for name, value in pairs:
            fields[name].append(value)
        found.append(Form(action, takes_file, dict(fields)))
    return found
