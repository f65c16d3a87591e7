"""What the live map of an event asks the server: its state, and what is done with its seats.

These parse, call and answer; ``holds``, ``layout`` and ``best_seats`` decide. A refusal is answered
with 409, its words, and every seat in the way.
"""

from functools import wraps

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseNotModified, JsonResponse
from django.urls import reverse
from django.utils import formats
from django.utils.timezone import localtime
from django.utils.translation import gettext as _t
from django.utils.translation import ngettext

from backoffice import json_api
from backoffice.audit import LockEvent
from backoffice.persian import digits_shown
from reservations import best_seats, holds, layout, refusals, seatmap
from reservations.forms import ReasonForm, ReservationForm
from reservations.models import Event, Seat
from reservations.refusals import Refused

PAGE = LockEvent.Source.PAGE
MOST = 2000  # seats that one request may name


class Unreadable(Exception):
    """What came is no request of the map's page; its text says why."""


def of_event(permission, **how):
    """Decorate what is done with the seats of an event: it returns what to answer, or raises."""

    def decorate(view):
        @json_api.endpoint(permission, **how)
        @wraps(view)
        def answered(request, pk):
            event = Event.objects.filter(pk=pk).first()
            if event is None:
                return json_api.refuse(404, _t("This event does not exist any more."))
            try:
                said = view(request, event)
            except Unreadable as problem:
                return json_api.refuse(400, digits_shown(str(problem)))
            except Refused as refused:
                return JsonResponse(told(refused), status=409)
            return JsonResponse(said | {"message": digits_shown(said["message"])})

        return answered

    return decorate


def told(refused):
    """Return what the page is told of a refusal."""
    return {
        "success": False,
        "error": digits_shown(refused.message),
        "reason": refused.reason,
        "again": refused.again,
        "seats": [
            {
                "id": seat.pk,
                "number": seat.seat_number,
                "state": seat.state,
                "text": digits_shown(refusals.in_words(seat)),
            }
            for seat in refused.seats
        ],
    }


# What came


def seat_ids(request):
    """Return the keys of the seats that a request names; at least one."""
    typed = request.POST.getlist("seats")
    if not all(text.isascii() and text.isdigit() and len(text) < 19 for text in typed):
        raise Unreadable(_t("These are no seats of this map."))
    if not typed:
        raise Unreadable(_t("Choose seats first."))
    if len(typed) > MOST:
        raise Unreadable(_t("Choose at most %(count)s seats at once.") % {"count": MOST})
    return list(dict.fromkeys(map(int, typed)))


def hold_id(request):
    """Return the hold that a request names."""
    try:
        return forms.UUIDField().clean(request.POST.get("hold_id", ""))
    except ValidationError as problem:
        raise Unreadable(_t("This is no hold of this map.")) from problem


def answers(form):
    """Return what was typed into a form."""
    if not form.is_valid():
        name, (problem, *_more) = next(iter(form.errors.items()))
        raise Unreadable(f"{form.fields[name].label}: {problem}")
    return form.cleaned_data


# The state


@json_api.endpoint(None, method="GET")
def state(request, pk):
    """Answer with the seats that are not free, or with 304 where the page knows them already."""
    request.is_beat = True  # an open map is nobody's activity
    known = request.META.get("HTTP_IF_NONE_MATCH", "")
    etag = seatmap.etag_of(pk, request.user) if known else ""
    if etag and etag in known:  # among others, or as a weak one after a proxy packed it
        response = HttpResponseNotModified()
    else:
        found = seatmap.state_of(pk, request.user)
        if found is None:
            return json_api.refuse(404, _t("This event does not exist any more."))
        response, etag = HttpResponse(found.as_json(), content_type="application/json"), found.etag
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


# What is done


@of_event("reservations.hold_seat")
def hold(request, event):
    """Hold the chosen seats, all or none."""
    wanted = seat_ids(request)
    return held(holds.hold(event, wanted, by=request.user), wanted)


@of_event("reservations.hold_seat")
def best(request, event):
    """Hold the best seats for a party."""
    typed = request.POST.get("count", "")
    most = settings.SEAT_HOLDS_PER_USER
    if not (typed.isascii() and typed.isdigit() and len(typed) < 6 and 1 <= int(typed) <= most):
        raise Unreadable(_t("Ask for 1 to %(count)s seats.") % {"count": most})
    taken, choice = best_seats.take(
        event, int(typed), by=request.user, accessible=request.POST.get("accessible") == "yes"
    )
    said = held(taken, choice.seats) | {"adjacent": choice.adjacent}
    if not choice.adjacent:
        near = _t("So many are not free side by side; these are near one another.")
        said["message"] += f" {near}"
    return said


def held(taken, seats):
    """Return what the page is told of a new hold."""
    until = end_of(taken)
    text = ngettext(
        "%(count)s seat is on hold for you until %(time)s.",
        "%(count)s seats are on hold for you until %(time)s.",
        len(seats),
    )
    message = text % {"count": len(seats), "time": shown(until)}
    return {
        "message": message,
        "hold_id": taken.hex,
        "seats": seats,
        "until": round(until.timestamp() * 1000),
    }


def end_of(taken):
    """Return when a hold ends."""
    for (until,) in Seat.objects.filter(hold_id=taken).order_by().values_list("locked_until")[:1]:
        return until
    raise Refused("lost")  # ended by somebody else at this very moment


def shown(instant):
    return formats.time_format(localtime(instant), "H:i:s")


@of_event("reservations.hold_seat")
def extend(request, event):
    """Give a hold its full time again."""
    wanted = hold_id(request)
    holds.extend(wanted, by=request.user)
    until = end_of(wanted)
    message = _t("The hold lasts until %(time)s now.") % {"time": shown(until)}
    return {"message": message, "until": round(until.timestamp() * 1000)}


@of_event("reservations.hold_seat")
def confirm(request, event):
    """Sell the seats of a hold."""
    wanted, typed = seat_ids(request), answers(ReservationForm(request.POST))
    again = request.POST.get("again") == "yes"
    sold = holds.confirm(
        typed.pop("hold_id"), wanted, by=request.user, again=again, source=PAGE, **typed
    )
    sees = request.user.has_perm("reservations.view_reservation")
    pages = {"ticket_url": "ticket", "reservation_url": "change"}
    return {
        "message": _t("Reserved. The code is %(reference)s.") % {"reference": sold.reference},
        "reference": sold.reference,
    } | {
        key: reverse(f"admin:reservations_reservation_{page}", args=[sold.pk]) if sees else ""
        for key, page in pages.items()
    }


@of_event("reservations.hold_seat")
def give_back(request, event):
    """Give a hold back, or some of its seats."""
    seats = seat_ids(request) if "seats" in request.POST else None
    count = holds.release(hold_id(request), by=request.user, seat_ids=seats)
    text = ngettext("%(count)s seat was given back.", "%(count)s seats were given back.", count)
    message = text % {"count": count} if count else _t("This hold is no longer yours.")
    return {"message": message, "count": count}


@of_event("reservations.change_seat")
def block(request, event):
    """Take the free ones of the chosen seats off sale."""
    wanted, typed = seat_ids(request), answers(ReasonForm(request.POST))
    rows = Seat.objects.filter(event=event, pk__in=wanted)
    done = layout.block(rows, by=request.user, source=PAGE, **typed)
    text = ngettext("%(count)s seat was blocked.", "%(count)s seats were blocked.", len(done))
    return changed(event, text, wanted, done)


@of_event("reservations.change_seat")
def unblock(request, event):
    """Put the blocked ones of the chosen seats on sale again."""
    wanted = seat_ids(request)
    done = layout.unblock(
        Seat.objects.filter(event=event, pk__in=wanted), by=request.user, source=PAGE
    )
    text = ngettext("%(count)s seat was unblocked.", "%(count)s seats were unblocked.", len(done))
    return changed(event, text, wanted, done)


def changed(event, text, wanted, done):
    """Return what the page is told of seats that were changed, and of those that were not."""
    left_alone = set(wanted) - {seat.pk for seat in done}
    seats = [seat for seat in refusals.look(left_alone) if seat.event_id == event.pk]
    lines = map(refusals.in_words, seats)
    message = "\n".join([text % {"count": len(done)}, *lines])
    return {"message": message, "count": len(done), "seats": [seat.pk for seat in done]}


@of_event("reservations.release_expired_seat", calls_a_minute=30)
def clear_run_out(request, event):
    """Tidy up the holds of the event that ran out; tell how many."""
    rows = Seat.objects.filter(event=event)
    count = len(holds.release_expired(rows, by=request.user, source=PAGE))
    text = ngettext(
        "%(count)s run-out lock was cleared.", "%(count)s run-out locks were cleared.", count
    )
    return {"message": text % {"count": count}, "count": count}


ENDPOINTS = {
    view.__name__: view
    for view in (state, hold, best, extend, confirm, give_back, block, unblock, clear_run_out)
}
