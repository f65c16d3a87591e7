"""What the page of a seat tells of its life: all that was, and who had it at an instant."""

import datetime

from django import forms
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.utils import formats, timezone
from django.utils.timezone import localtime
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice.audit import LockEvent
from backoffice.persian import digits_shown
from backoffice.persian_forms import DateField, TimeField
from reservations import seat_history
from reservations.models import State

A_PAGE = 50
MINUTE = datetime.timedelta(minutes=1)
Action = LockEvent.Action


class MomentForm(forms.Form):
    """An instant of the past: a day, and a time to the minute or to the second."""

    date = DateField(label=_("Day"))
    time = TimeField(label=_("Time"))

    def clean(self):
        answers = super().clean()
        if {"date", "time"} <= answers.keys():
            moment = datetime.datetime.combine(answers["date"], answers["time"])
            answers["moment"] = timezone.make_aware(moment)
            if answers["moment"] > timezone.now():
                raise ValidationError(_t("This time has not come yet."))
        return answers


class SeatLife:
    """Mixed into the admin of seats."""

    change_form_template = "reservations/seat_change_form.html"

    def render_change_form(self, request, context, *args, **kwargs):
        seat = context.get("original")
        if seat:
            context |= self._life(request, seat)
        return super().render_change_form(request, context, *args, **kwargs)

    def _life(self, request, seat):
        periods = seat_history.life(seat)
        asked = {"date", "time"} & request.GET.keys()
        now = localtime()
        initial = {"date": now.date(), "time": now.time().replace(second=0, microsecond=0)}
        form = MomentForm(request.GET if asked else None, initial=initial)
        page = Paginator(periods[::-1], A_PAGE).get_page(request.GET.get("life"))
        return {
            "moment_form": form,
            "answers": answers(seat, periods, form.cleaned_data) if form.is_valid() else [],
            "life": [row(period) for period in page],
            "life_page": page,
        }


def answers(seat, periods, asked):
    """Say who had a seat at an instant; where a minute was asked, also what began within it."""
    moment = asked["moment"]
    found = seat_history.state_at(periods, moment)
    if found is None and not seat_history.reaches_back_to(moment):
        return [_t("The log does not reach back to %(time)s.") % {"time": instant(moment)}]
    told = [sentence(seat, moment, found)]
    if not asked["time"].second:
        later = seat_history.begun_within(periods, moment, before=moment + MINUTE)
        told += [sentence(seat, period.since, period) for period in later]
    return told


def sentence(seat, moment, period):
    """Say what a seat was at an instant."""
    values = {"seat": seat.seat_number, "time": instant(moment)}
    if period is None:
        return _t("At %(time)s seat %(seat)s was free.") % values
    values |= {"who": period.who or _t("unknown"), "note": period.note}
    values |= {"since": instant(period.since), "until": instant(period.until or period.ends_at)}
    texts = {
        State.LOCKED: _t(
            "At %(time)s seat %(seat)s was on hold with %(who)s, from %(since)s until %(until)s."
        ),
        State.RESERVED: _t(
            "At %(time)s seat %(seat)s was reserved under the code %(note)s, "
            "from %(since)s until %(until)s (sold by %(who)s)."
        ),
        State.BLOCKED: _t(
            "At %(time)s seat %(seat)s was blocked by %(who)s, from %(since)s until %(until)s: "
            "%(note)s"
        ),
    }
    return texts[period.state] % values


def row(period):
    """Return the cells of a period: what, who, from, until, how it ended, why, and from where."""
    return {
        "state": period.state,
        "label": period.state.label,
        "who": period.who or _t("unknown"),
        "note": period.note,
        "since": instant(period.since) if period.since else _t("unknown"),
        "until": instant(period.until) if period.until else "",
        "ends_at": instant(period.ends_at) if period.ends_at else "",
        "extended": period.extended,
        "ending": ending(period),
        "reason": period.reason if period.ended in (Action.FORCED, Action.CANCELLED) else "",
        "sources": list(dict.fromkeys(filter(None, (period.source, period.ended_source)))),
    }


def ending(period):
    """Say how a period ended; '' while it lasts."""
    texts = {
        Action.GIVEN_BACK: _t("Given back by %(who)s"),
        Action.RAN_OUT: _t("Time over"),
        Action.FORCED: _t("Released by %(who)s"),
        Action.CONFIRMED: _t("Reserved by %(who)s (%(reason)s)"),
        Action.CANCELLED: _t("Cancelled by %(who)s"),
        Action.MOVED: _t("Moved to %(reason)s by %(who)s"),
        Action.UNBLOCKED: _t("Unblocked by %(who)s"),
    }
    return texts.get(period.ended, "") % {"who": period.ended_by, "reason": period.reason}


def instant(moment):
    """Return an instant to the second, as the office's clocks showed it."""
    if moment is None:
        return _t("now")
    local = localtime(moment)
    day = formats.date_format(local, "SHORT_DATE_FORMAT")
    return _t("%(day)s at %(time)s") % {"day": day, "time": digits_shown(f"{local:%H:%M:%S}")}
