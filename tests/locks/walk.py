"""Walks over all that the admin of a document offers, as its pages would send it.

Made from the admin site: a new page, endpoint or action is walked over on arrival.
"""

import re
from contextlib import contextmanager
from urllib.parse import quote, urljoin

from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.validators import MaxLengthValidator
from django.db import models, transaction
from django.test import RequestFactory
from django.urls import reverse

from backoffice import locks
from backoffice.editable import EditableModel
from backoffice.import_files import XLSX
from inventory.document_types import TYPES
from inventory.models import StocktakingRecord
from orders.models import Package, ProviderIntegration
from reservations.models import Event
from tests.forms import posted_forms
from tests.inventory.factories import make_document, make_stocktaking
from tests.orders.factories import make_integration, make_package
from tests.reservations.factories import make_event

MODELS = [model for model in admin.site._registry if issubclass(model, EditableModel)]
# A new kind of document is made here for the walk.
MAKERS = dict.fromkeys(TYPES, make_document) | {
    StocktakingRecord: lambda model: make_stocktaking(),
    Event: lambda model: make_event(),
    Package: lambda model: make_package(make_integration()),
    ProviderIntegration: lambda model: make_integration("https://provider.example"),
}
# What an address may want to be told before it does anything.
ANYTHING = {
    "post": "yes",
    "confirmed": "yes",
    "version": "1",
    "editing_version": "1",
    "token": "",
    "reason": "x",
    "hand_over": "yes",
    "leaving": "yes",
    "_save": "1",
}
VARIANTS = ({}, {"_continue": "1"}, {"_saveasnew": "1"})


class Walk:
    """One person at the admin of one document, which somebody else takes on the way."""

    def __init__(self, client, user, holder, model):
        self.client, self.user, self.holder = client, user, holder
        self.model_admin = admin.site._registry[model]
        self.row = MAKERS[model](model)
        self.opts = model._meta
        self.prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        self.base = reverse(f"admin:{self.prefix}changelist")
        lines = [inline.model for inline in self.model_admin.inlines]
        self.texts = {field.name for field in plain_texts(model)} | {
            # What must be filled in a line may have a form of its own.
            field.name
            for line in lines
            for field in plain_texts(line)
            if field.blank
        }

    # Where to

    def addresses(self):
        """Yield the name and the address of each page and endpoint."""
        for url in self.model_admin.get_urls():
            route = re.sub(r"<[^>]+>", quote(str(self.row.pk)), str(url.pattern))
            name = (url.name or route).removeprefix(
                f"{self.opts.app_label}_{self.opts.model_name}_"
            )
            yield name, self.base + route

    def actions(self):
        request = RequestFactory().get(self.base)
        request.user = self.user
        return list(self.model_admin.get_actions(request))

    # What is there

    def content(self):
        """Return all columns of the document and of whatever points to it."""
        concrete = type(self.row)._meta.concrete_model
        rows = [concrete._base_manager.filter(pk=self.row.pk)]
        for relation in concrete._meta.related_objects:  # documents among them, too
            key = {relation.field.name: self.row.pk}
            rows.append(relation.related_model._base_manager.filter(**key))
        return [list(some.order_by("pk").values()) for some in rows]

    def changed_by(self, visit, *args):
        """Return whether a visit changes the locked document; all is undone after it."""
        with transaction.atomic():
            locked = iter(visit(*args))
            next(locked)
            locks.acquire(type(self.row), self.row.pk, by=self.holder, version=self.row.version)
            before = self.content()
            for _step in locked:
                pass
            after = self.content()
            transaction.set_rollback(True)
        return before != after

    # What is done; each visit yields at the moment when somebody else takes the document

    def visit(self, address):
        """Open an address, and send all that it offers once the document is somebody else's."""
        pages = [(address, self.open(address))]
        if self.forms(pages[0][1]):
            window = f"{address}?_popup=1"
            pages.append((window, self.client.get(window)))
        pages += self.previews(*pages[0])
        yield
        for url, page in pages:
            for form in self.forms(page):
                saves = url == address and "editing_base" in form.fields
                for variant in VARIANTS if saves else VARIANTS[:1]:
                    self.send_all(url, form, variant)

    def come_late(self, address):
        """Open an address, and send it anything, where the document is somebody else's already."""
        yield
        self.open(address)
        self.client.get(f"{address}?_popup=1")
        self.client.post(address, ANYTHING)

    def open(self, address):
        asked = {"ids": self.row.pk} if "/lock/" in address else {}
        return self.client.get(address, asked)

    def act(self, action, across):
        """Choose the document and an action of the list."""
        yield
        self.send_all(self.base, None, self.chosen(action, across))

    def act_after_asking(self, action, across):
        """The same, where the page that asks first was opened while the document was free."""
        page = self.client.post(self.base, self.chosen(action, across))
        yield
        for form in self.forms(page):
            self.send_all(self.base, form, {})

    def chosen(self, action, across):
        return {"action": action, "_selected_action": [self.row.pk], "select_across": across}

    def send_all(self, url, form, variant):
        """Send a form, and what the answer to it asks."""
        answer = self.send(url, form, variant) if form else self.client.post(url, variant)
        for asked in self.forms(answer) if answer.status_code == 200 else ():
            if form is None or asked.fields.keys() != form.fields.keys():  # no second try
                self.send(url, asked, {})

    def send(self, url, form, variant):
        return self.client.post(urljoin(url, form.action), self.typed(form.fields) | variant)

    def typed(self, fields):
        """Return the fields of a form with something typed into each text."""
        return {
            name: [f"{value} دست‌خورده" for value in values]
            if name.split("-")[-1] in self.texts
            else values
            for name, values in fields.items()
        }

    def forms(self, page):
        html = page.headers.get("Content-Type", "").startswith("text/html")
        found = posted_forms(page.content.decode()) if html else []
        # Those that log out or change the language are on every page.
        return [form for form in found if urljoin(self.base, form.action).startswith(self.base)]

    def previews(self, address, page):
        """Yield what an import answers to files that would change the document."""
        for form in self.forms(page):
            if not form.takes_file or "import" not in address:
                continue
            for number, resource in enumerate(self.model_admin.get_import_resource_classes(None)):
                file = SimpleUploadedFile("rows.xlsx", self.altered(resource()))
                sent = form.fields | {"import_file": file, "resource": str(number)}
                yield address, self.client.post(address, sent)

    def altered(self, resource):
        data = resource.export()
        for name in self.texts & set(resource.fields):
            place = data.headers.index(str(resource.fields[name].column_name))
            column = [f"{text} دست‌خورده" for text in data.get_col(place)]
            heading = data.headers[place]
            del data[heading]
            data.append_col(column, header=heading)
        return XLSX().export_data(data)


def plain_texts(model):
    """Return the columns into which anything may be typed."""
    return [
        field
        for field in model._meta.concrete_fields
        if type(field) in (models.CharField, models.TextField)
        and field.editable
        and not field.unique
        and not field.choices
        and all(isinstance(check, MaxLengthValidator) for check in field.validators)
    ]


@contextmanager
def unguarded(monkeypatch):
    """Take the guard out: whoever asks it is let through."""

    def split(rows, *, by):
        chosen = rows.model._default_manager.filter(pk__in=list(rows.values_list("pk", flat=True)))
        chosen.update(version=models.F("version") + 1)
        return chosen, []

    with monkeypatch.context() as patch:
        patch.setattr(locks, "look", lambda *args, **kwargs: None)
        patch.setattr(locks, "require", lambda *args, **kwargs: "token")
        patch.setattr(locks, "split", split)
        yield
