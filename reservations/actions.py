"""What staff do with the seats that they chose in the list."""

from collections import defaultdict
from itertools import chain

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.db import transaction
from django.template.response import TemplateResponse
from django.utils import formats
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.timezone import localtime
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice.persian import digits_shown
from reservations import holds, layout
from reservations.forms import OptionalReasonForm, ReasonForm, ReservationForm
from reservations.models import Seat, State
from reservations.refusals import Refused, in_words, look, with_endings

MOST_AT_ONCE = 2_000
MOST_NAMED = 50


@admin.action(description=_("Hold"), permissions=["hold"])
def hold_seats(modeladmin, request, queryset):
    """Hold the chosen seats for whoever asks, all or none."""
    seats = list(queryset)
    if len({seat.event_id for seat in seats}) != 1:
        return say(modeladmin, request, _t("Choose seats of one event."), messages.ERROR)
    try:
        hold_id = holds.hold(seats[0].event, [seat.pk for seat in seats], by=request.user)
    except Refused as refused:
        return say_refused(modeladmin, request, refused)
    until = Seat.objects.filter(hold_id=hold_id).values_list("locked_until", flat=True).first()
    say(
        modeladmin,
        request,
        ngettext(
            "%(count)s seat is on hold for you until %(time)s.",
            "%(count)s seats are on hold for you until %(time)s.",
            len(seats),
        )
        % {"count": len(seats), "time": formats.time_format(localtime(until), "H:i:s")},
    )


@admin.action(description=_("Extend"), permissions=["hold"])
def extend_holds(modeladmin, request, queryset):
    """Extend one's own holds to which the chosen seats belong."""
    seats, extended, count = list(queryset), [], 0
    for hold_id, held in own_holds(request, seats).items():
        try:
            count += holds.extend(hold_id, by=request.user)
            extended += held
        except Refused as refused:
            say_refused(modeladmin, request, refused)
    text = ngettext("%(count)s seat was extended.", "%(count)s seats were extended.", count)
    say_count(modeladmin, request, text, count)
    tell_left_alone(modeladmin, request, seats, extended)


@admin.action(description=_("Give back"), permissions=["hold"])
def give_back(modeladmin, request, queryset):
    """Give one's own held seats among the chosen ones back."""
    seats, given_back = list(queryset), []
    for hold_id, held in own_holds(request, seats).items():
        try:
            if holds.release(hold_id, by=request.user, seat_ids=[seat.pk for seat in held]):
                given_back += held
        except Refused as refused:
            say_refused(modeladmin, request, refused)
    count = len(given_back)
    text = ngettext("%(count)s seat was given back.", "%(count)s seats were given back.", count)
    say_count(modeladmin, request, text, count)
    tell_left_alone(modeladmin, request, seats, given_back)


@admin.action(description=_("Reserve"), permissions=["hold"])
def reserve(modeladmin, request, queryset):
    """Sell held seats, after a page that asks for the customer."""
    seats = list(queryset)
    if "confirmed" not in request.POST:
        own = own_holds(request, seats)
        if list(own.values()) != [seats]:
            text = _t("Choose seats that you hold, all of them under one hold.")
            say(modeladmin, request, text, messages.ERROR)
            return tell_left_alone(modeladmin, request, seats, list(chain(*own.values())))
        form = ReservationForm(initial={"hold_id": seats[0].hold_id, "payment_method": "card"})
    else:
        form = ReservationForm(request.POST)
        if form.is_valid():
            return _confirm(modeladmin, request, seats, form)
    return _ask_to_reserve(modeladmin, request, seats, form)


def _confirm(modeladmin, request, seats, form):
    try:
        reservation = holds.confirm(
            form.cleaned_data["hold_id"],
            [seat.pk for seat in seats],
            by=request.user,
            again="again" in request.POST,
            **{name: form.cleaned_data[name] for name in ("customer", "phone", "payment_method")},
        )
    except Refused as refused:
        say_refused(modeladmin, request, refused)
        return (
            _ask_to_reserve(modeladmin, request, seats, form, again=True) if refused.again else None
        )
    text = _t("Reserved. The code is %(reference)s.") % {"reference": reservation.reference}
    return say(modeladmin, request, text)


def _ask_to_reserve(modeladmin, request, seats, form, *, again=False):
    return ask(
        modeladmin,
        request,
        form,
        title=_t("Reserve"),
        groups=[(_t("Seats"), seats)],
        price=sum(seat.price for seat in seats),
        again=again,
    )


@admin.action(description=_("Release lock"), permissions=["release"])
def release_lock(modeladmin, request, queryset):
    """End holds, after a page that shows whose, and asks why where they are live."""
    confirmed = "confirmed" in request.POST
    held = queryset.filter(status=Seat.Status.LOCKED)
    if confirmed:
        shown = set(request.POST.getlist("hold_id"))
        seats = [seat for seat in held if str(seat.hold_id) in shown]
    else:
        seats = list(held[:MOST_AT_ONCE])
    live = [seat for seat in seats if seat.state == State.LOCKED]
    stale = [seat for seat in seats if seat.state == State.RUN_OUT]
    form_class = ReasonForm if live else OptionalReasonForm
    form = form_class(request.POST if confirmed else None)
    if form.is_valid():
        rows = Seat.objects.filter(
            pk__in=[seat.pk for seat in seats], hold_id__in={seat.hold_id for seat in seats}
        )
        reason = form.cleaned_data["reason"]
        released = holds.force_release(rows, by=request.user, reason=reason)
        return _tell_released(modeladmin, request, queryset, released)
    if not seats and not confirmed:
        return say(modeladmin, request, _t("None of these seats is on hold."), messages.WARNING)
    for seat in live:
        seat.seconds_left = round(seat.time_left.total_seconds())
    return ask(
        modeladmin,
        request,
        form,
        title=_t("Release lock"),
        groups=[(_t("Live holds"), live), (_t("Holds that ran out"), stale)],
        left=left_alone(queryset, seats),
    )


def _tell_released(modeladmin, request, queryset, released):
    if released:
        names = ", ".join(seat.seat_number for seat in released)
        say(modeladmin, request, _t("Released: %(seats)s") % {"seats": names})
    tell_left_alone(modeladmin, request, queryset, released)


@admin.action(description=_("Clear run-out locks"), permissions=["clear"])
def clear_run_out(modeladmin, request, queryset):
    """Tidy up the holds among the chosen seats that ran out."""
    count = len(holds.release_expired(chosen(queryset), by=request.user, source=holds.BULK))
    say_count(
        modeladmin,
        request,
        ngettext(
            "%(count)s run-out lock was cleared.", "%(count)s run-out locks were cleared.", count
        ),
        count,
    )


@admin.action(description=_("Block"), permissions=["change"])
def block(modeladmin, request, queryset):
    """Take free seats off sale, after a page that asks why."""
    form = ReasonForm(request.POST if "confirmed" in request.POST else None)
    seats = list(queryset)
    if form.is_valid():
        blocked = layout.block(chosen(seats), by=request.user, **form.cleaned_data)
        text = ngettext(
            "%(count)s seat was blocked.", "%(count)s seats were blocked.", len(blocked)
        )
        say_count(modeladmin, request, text, len(blocked))
        return tell_left_alone(modeladmin, request, seats, blocked)
    free = [seat for seat in seats if seat.state in (State.AVAILABLE, State.RUN_OUT)]
    return ask(
        modeladmin,
        request,
        form,
        title=_t("Block"),
        groups=[(_t("Seats"), free)],
        left=left_alone(seats, free),
    )


@admin.action(description=_("Unblock"), permissions=["change"])
def unblock(modeladmin, request, queryset):
    """Put blocked seats on sale again."""
    seats = list(queryset)
    unblocked = layout.unblock(chosen(seats), by=request.user)
    count = len(unblocked)
    text = ngettext("%(count)s seat was unblocked.", "%(count)s seats were unblocked.", count)
    say_count(modeladmin, request, text, count)
    tell_left_alone(modeladmin, request, seats, unblocked)


def delete_all_or_none(modeladmin, request, queryset):
    """Delete the chosen seats and write their history, or neither where one was taken meanwhile."""
    with transaction.atomic():
        return delete_selected(modeladmin, request, queryset)


def chosen(seats):
    """Return the rows of a list's queryset, without the list's joins and columns."""
    return Seat.objects.filter(pk__in=[seat.pk for seat in seats])


def own_holds(request, seats):
    """Return the user's live holds, each with those of the chosen seats that belong to it."""
    found = defaultdict(list)
    for seat in seats:
        if seat.state == State.LOCKED and seat.locked_by_id == request.user.pk:
            found[seat.hold_id].append(seat)
    return found


def ask(modeladmin, request, form, **context):
    """Return the page that stands between the choice and the deed."""
    context |= modeladmin.admin_site.each_context(request)
    context |= {"opts": modeladmin.opts, "form": form, "action": request.POST["action"]}
    return TemplateResponse(request, "reservations/seat_action.html", context)


def tell_left_alone(modeladmin, request, seats, done):
    """Say of each chosen seat to which nothing was done what it is now."""
    lines = left_alone(seats, done)
    if lines:
        say_lines(modeladmin, request, [_t("Left alone:"), *lines], messages.WARNING)


def left_alone(seats, done):
    """Return a line for each chosen seat that is not among those done; of many only the first."""
    left = {seat.pk for seat in seats} - {seat.pk for seat in done}
    if not left:
        return []
    told = with_endings(look(sorted(left)[:MOST_NAMED]))
    lines = [digits_shown(in_words(seat)) for seat in told]
    more = len(left) - len(told)
    if more:
        text = ngettext("and %(count)s more", "and %(count)s more", more) % {"count": more}
        lines.append(digits_shown(text))
    return lines


def say(modeladmin, request, text, level=messages.SUCCESS):
    modeladmin.message_user(request, text, level)


def say_count(modeladmin, request, text, count):
    level = messages.SUCCESS if count else messages.WARNING
    modeladmin.message_user(request, text % {"count": count}, level)


def say_refused(modeladmin, request, refused):
    say_lines(modeladmin, request, refused.message.splitlines(), messages.ERROR)


def say_lines(modeladmin, request, lines, level):
    text = format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines))
    modeladmin.message_user(request, text, level)
