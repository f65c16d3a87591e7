"""The live map of an event as its scripts use it."""

from django.urls import reverse


def address(event, name=""):
    suffix = f"_{name}" if name else ""
    return reverse(f"admin:reservations_event_map{suffix}", args=[event.pk])


def look(browser, event, etag=""):
    """Refresh the map, knowing the state of an ETag already."""
    headers = {"If-None-Match": etag} if etag else {}
    return browser.get(address(event, "state"), headers=headers)


def ask(browser, event, name, **fields):
    """Ask for something to be done with seats."""
    return browser.post(address(event, name), fields)


def keys(seats):
    return [seat.pk for seat in seats]
