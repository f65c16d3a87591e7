"""Steps of two people on the pages of documents, through HTTP as a browser sends them."""

from django.test import Client
from django.urls import reverse

from tests.forms import form_fields


class Person:
    """A member of staff with a browser of their own, on the page of one document."""

    def __init__(self, user, obj):
        self.user, self.obj = user, obj
        self.client = Client()
        self.client.force_login(user)

    def address(self, name="change"):
        opts = self.obj._meta
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_{name}", args=[self.obj.pk])

    def open(self, restore=False):
        """Return what the form of the page would send."""
        self.page = self.client.get(self.address(), {"draft": "restore"} if restore else {})
        return self.read()

    def read(self):
        return form_fields(self.page.content.decode(), f"{self.obj._meta.model_name}_form")

    def save(self, fields, button="_save"):
        """Send a form; return the answer."""
        self.page = self.client.post(self.address(), fields | {button: "yes"})
        return self.page

    def keep(self, fields):
        """Send a draft; return the answer."""
        return self.client.post(self.address("lock_draft"), fields)
