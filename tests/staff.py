"""A member of staff at the browser, as far as HTTP can tell."""

import html
import re

import requests


class Staff(requests.Session):
    """Logged in at an office; paths are relative to its admin."""

    def __init__(self, office, username):
        super().__init__()
        self.admin = f"{office.url}/admin/"
        self.get(self.admin + "login/")
        password = passwords(office)[username]
        page = self.send_form("login/", {"username": username, "password": password})
        assert page.url == self.admin, f"{username} could not log in"

    def page(self, path, **query):
        """Return the text of a page."""
        answer = self.get(self.admin + path, params=query)
        assert answer.status_code == 200, f"{answer.url} answered {answer.status_code}"
        return answer.text

    def send_form(self, path, fields, files=None):
        """Send a form as its page would; return the answer, redirects followed."""
        fields = {**fields, "csrfmiddlewaretoken": self.cookies["csrftoken"]}
        return self.post(self.admin + path, data=fields, files=files)

    def find(self, path, **query):
        """Return the id of the one row of a list."""
        text = self.page(path, **query)
        (found,) = set(re.findall(rf'href="/admin/{path}(\d+)/change/', text))
        return found


def passwords(office):
    """Return the passwords of the demo's accounts, as the set-up left them for a person."""
    lines = (office.folder / "demo-passwords.txt").read_text().splitlines()
    return {username: password for username, password, _role in (ln.split("\t") for ln in lines)}


def hidden(text, *names):
    """Return the values of hidden inputs of a page."""
    inputs = re.findall(r"<input[^>]*>", text)
    pairs = [(attribute(tag, "name"), attribute(tag, "value")) for tag in inputs]
    return {name: value for name, value in pairs if name in names}


def attribute(tag, name):
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return html.unescape(found[1]) if found else ""


def words(text):
    """Return what a page says, without its tags, scripts and styles."""
    text = re.sub(r"<(script|style).*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
