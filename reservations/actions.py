"""What staff do with the seats that they chose in the list."""

from collections import Counter

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

from reservations import holds, layout
from reservations.forms import OptionalReasonForm, ReasonForm, ReservationForm
from reservations.models import Seat, State
from reservations.refusals import Refused


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
    extended = 0
    for hold_id in own_holds(request, queryset):
        try:
            extended += holds.extend(hold_id, by=request.user)
        except Refused as refused:
            say_refused(modeladmin, request, refused)
    say_count(
        modeladmin,
        request,
        ngettext("%(count)s seat was extended.", "%(count)s seats were extended.", extended),
        extended,
    )


@admin.action(description=_("Give back"), permissions=["hold"])
def give_back(modeladmin, request, queryset):
    """Give one's own held seats among the chosen ones back."""
    pks, given_back = [seat.pk for seat in queryset], 0
    for hold_id in own_holds(request, queryset):
        try:
            given_back += holds.release(hold_id, by=request.user, seat_ids=pks)
        except Refused as refused:
            say_refused(modeladmin, request, refused)
    say_count(
        modeladmin,
        request,
        ngettext("%(count)s seat was given back.", "%(count)s seats were given back.", given_back),
        given_back,
    )


@admin.action(description=_("Reserve"), permissions=["hold"])
def reserve(modeladmin, request, queryset):
    """Sell held seats, after a page that asks for the customer."""
    seats = list(queryset)
    if "confirmed" not in request.POST:
        own = own_holds(request, queryset)
        if len(own) != 1 or own.total() != len(seats):
            text = _t("Choose seats that you hold, all of them under one hold.")
            return say(modeladmin, request, text, messages.ERROR)
        form = ReservationForm(initial={"hold_id": seats[0].hold_id, "payment_method": "card"})
    else:
        form = ReservationForm(request.POST)
        if form.is_valid():
            return _confirm(modeladmin, request, seats, form.cleaned_data)
    return ask(
        modeladmin,
        request,
        form,
        title=_t("Reserve"),
        groups=[(_t("Seats"), seats)],
        price=sum(seat.price for seat in seats),
    )


def _confirm(modeladmin, request, seats, answers):
    try:
        reservation = holds.confirm(
            answers.pop("hold_id"), [seat.pk for seat in seats], by=request.user, **answers
        )
    except Refused as refused:
        return say_refused(modeladmin, request, refused)
    text = _t("Reserved. The code is %(reference)s.") % {"reference": reservation.reference}
    return say(modeladmin, request, text)


@admin.action(description=_("Release lock"), permissions=["release"])
def release_lock(modeladmin, request, queryset):
    """End holds, after a page that shows whose, and asks why where they are live."""
    seats = list(queryset.filter(status=Seat.Status.LOCKED))
    shown = set(request.POST.getlist("hold_id"))
    if "confirmed" in request.POST:
        seats = [seat for seat in seats if str(seat.hold_id) in shown]
    live = [seat for seat in seats if seat.state == State.LOCKED]
    stale = [seat for seat in seats if seat.state == State.RUN_OUT]
    form_class = ReasonForm if live else OptionalReasonForm
    form = form_class(request.POST if "confirmed" in request.POST else None)
    if form.is_valid():
        rows = Seat.objects.filter(
            pk__in=[seat.pk for seat in seats], hold_id__in={seat.hold_id for seat in seats}
        )
        reason = form.cleaned_data["reason"]
        released = holds.force_release(rows, by=request.user, reason=reason)
        return _tell_released(modeladmin, request, queryset, released)
    if not seats and "confirmed" not in request.POST:
        return say(modeladmin, request, _t("None of these seats is on hold."), messages.WARNING)
    return ask(
        modeladmin,
        request,
        form,
        title=_t("Release lock"),
        groups=[(_t("Live holds"), live), (_t("Holds that ran out"), stale)],
        others=queryset.count() - len(seats),
    )


def _tell_released(modeladmin, request, queryset, released):
    done = {seat.pk for seat in released}
    spared = [seat for seat in queryset.filter(status=Seat.Status.LOCKED) if seat.pk not in done]
    if released:
        names = ", ".join(seat.seat_number for seat in released)
        say(modeladmin, request, _t("Released: %(seats)s") % {"seats": names})
    if spared:
        names = ", ".join(f"{seat.seat_number} ({seat.locked_by_name})" for seat in spared)
        text = _t("Left alone, because they changed hands meanwhile: %(seats)s") % {"seats": names}
        say(modeladmin, request, text, messages.WARNING)


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
    if form.is_valid():
        blocked = layout.block(chosen(queryset), by=request.user, **form.cleaned_data)
        text = ngettext(
            "%(count)s seat was blocked.", "%(count)s seats were blocked.", len(blocked)
        )
        return say_count(modeladmin, request, text, len(blocked))
    seats = list(queryset)
    free = [seat for seat in seats if seat.state in (State.AVAILABLE, State.RUN_OUT)]
    return ask(
        modeladmin,
        request,
        form,
        title=_t("Block"),
        groups=[(_t("Seats"), free)],
        others=len(seats) - len(free),
    )


@admin.action(description=_("Unblock"), permissions=["change"])
def unblock(modeladmin, request, queryset):
    """Put blocked seats on sale again."""
    count = len(layout.unblock(chosen(queryset), by=request.user))
    text = ngettext("%(count)s seat was unblocked.", "%(count)s seats were unblocked.", count)
    say_count(modeladmin, request, text, count)


def delete_all_or_none(modeladmin, request, queryset):
    """Delete the chosen seats and write their history, or neither where one was taken meanwhile."""
    with transaction.atomic():
        return delete_selected(modeladmin, request, queryset)


def chosen(queryset):
    """Return the rows of a list's queryset, without the list's joins and columns."""
    return Seat.objects.filter(pk__in=[seat.pk for seat in queryset])


def own_holds(request, queryset):
    """Return the user's live holds, each with how many of the chosen seats belong to it."""
    return Counter(
        seat.hold_id
        for seat in queryset
        if seat.state == State.LOCKED and seat.locked_by_id == request.user.pk
    )


def ask(modeladmin, request, form, **context):
    """Return the page that stands between the choice and the deed."""
    context |= modeladmin.admin_site.each_context(request)
    context |= {"opts": modeladmin.opts, "form": form, "action": request.POST["action"]}
    return TemplateResponse(request, "reservations/seat_action.html", context)


def say(modeladmin, request, text, level=messages.SUCCESS):
    modeladmin.message_user(request, text, level)


def say_count(modeladmin, request, text, count):
    level = messages.SUCCESS if count else messages.WARNING
    modeladmin.message_user(request, text % {"count": count}, level)


def say_refused(modeladmin, request, refused):
    lines = ((line,) for line in refused.message.splitlines())
    text = format_html_join(mark_safe("<br>"), "{}", lines)
    modeladmin.message_user(request, text, messages.ERROR)
