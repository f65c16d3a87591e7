"""What is said of a lock: to the second person, and to who lost it."""

from datetime import timedelta

from django.utils import formats, timezone
from django.utils.timesince import timesince
from django.utils.timezone import localtime
from django.utils.translation import gettext as _t
from django.utils.translation import ngettext

from backoffice.audit import LockEvent
from backoffice.editable import Lock
from backoffice.persian import digits_shown

BUSY = timedelta(minutes=2)  # who typed within it is at work
Action = LockEvent.Action


def since(moment):
    """Return an instant as people say it: the time of today, else the day with it."""
    local = localtime(moment)
    if local.date() == timezone.localdate():
        return formats.time_format(local)
    return formats.date_format(local, "SHORT_DATETIME_FORMAT")


def ago(moment, now):
    """Return how long ago an instant was, in its largest unit."""
    if now - moment < timedelta(minutes=1):
        return _t("just now")
    return _t("%(time)s ago") % {"time": digits_shown(timesince(moment, now, depth=1))}


def activity(lock: Lock):
    """Return whether a holder is at work: active, idle for how long, or gone from the page."""
    if not lock.live:
        return _t("run out")
    if lock.idle_for < BUSY:
        return _t("active")
    time = digits_shown(timesince(lock.read_at - lock.idle_for, lock.read_at, depth=1))
    return _t("idle for %(time)s") % {"time": time}


def named(held: list[Lock], most: int = 20):
    """Return who holds which documents since when; of many only the first ``most`` by name."""
    names = _t("; ").join(
        whose(lock.name, lock.holder_name, lock.started_at) for lock in held[:most]
    )
    return and_more(names, len(held) - most)


def whose(name, holder, started_at):
    """Return what somebody has, and since when."""
    told = {"name": name, "holder": holder, "time": since(started_at)}
    return _t("%(name)s, with %(holder)s since %(time)s") % told


def and_more(names: str, count: int):
    """Return a list of documents with how many more there are that it does not name."""
    if count <= 0:
        return names
    text = ngettext("%(names)s and %(count)s more", "%(names)s and %(count)s more", count)
    return text % {"names": names, "count": count}


def held_text(lock: Lock):
    """Return the sentences that tell the second person whose document this is now."""
    sentence = _t(
        "%(holder)s has been editing this document since %(time)s; it is read-only for you."
    ) % {"holder": lock.holder_name, "time": since(lock.started_at)}
    details = _t("Begun %(ago)s; %(activity)s; %(changes)s.") % {
        "ago": ago(lock.started_at, lock.read_at),
        "activity": activity(lock),
        "changes": _t("has unsaved changes") if lock.has_changes else _t("no unsaved changes"),
    }
    return f"{sentence} {details}"


def elsewhere_text(lock: Lock):
    """Return the sentence for somebody who edits the document in another tab."""
    return _t("It is open in another tab since %(time)s.") % {"time": since(lock.started_at)}


LOST = {
    Action.TAKEN_OVER: lambda: _t("%(actor)s took this document over: %(reason)s"),
    Action.MOVED: lambda: _t("You moved the editing of this document to another tab."),
    Action.HANDED_OVER: lambda: _t("You handed this document over to %(reason)s."),
    Action.FORCED: lambda: _t("%(actor)s ended your edit lock: %(reason)s"),
    Action.GIVEN_BACK: lambda: _t("Your edit lock was given back."),
    Action.RAN_OUT: lambda: _t("Your edit lock ran out."),
}


def lost_text(reason: str, event: LockEvent | None):
    """Return the sentence that tells somebody how their lock ended."""
    if reason == "gone":
        return _t("This document was deleted meanwhile.")
    return LOST[Action(reason)]() % {
        "actor": (event and event.actor_name) or _t("the office"),
        "reason": (event and event.reason) or _t("no reason given"),
    }


def free_text():
    return _t("Nobody is editing this document.")


REQUEST_SAYS = {
    "waiting": lambda: _t("Your request was sent; the answer comes within a minute."),
    "handed_over": lambda: _t("The document was handed over to you."),
    "declined": lambda: _t("%(holder)s declined: not now."),
    "unanswered": lambda: _t("%(holder)s did not answer."),
}


def request_text(state: str, holder_name: str):
    """Return what became of somebody's request for a document; '' without a request."""
    return REQUEST_SAYS[state]() % {"holder": holder_name} if state else ""
