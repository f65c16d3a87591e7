"""What staff do with a reservation after the sale: print its ticket, cancel it, move its seats."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from reservations import sales, tickets
from reservations.forms import ReasonForm
from reservations.models import Reservation
from reservations.moving import Choice
from reservations.refusals import Refused

Method = Reservation.PaymentMethod


class MoneyForm(forms.Form):
    """How money changes hands after the sale: of a free ticket, not at all."""

    method = forms.ChoiceField(widget=forms.RadioSelect)

    def __init__(self, *args, reservation, **kwargs):
        super().__init__(*args, **kwargs)
        free = reservation.payment_method == Method.FREE
        self.fields["method"].initial = reservation.payment_method
        self.fields["method"].choices = [
            choice for choice in Method.choices if (choice[0] == Method.FREE) == free
        ]


class CancelForm(MoneyForm, ReasonForm):
    field_order = ("reason", "method")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["method"].label = _("How the money goes back")


class MoveForm(MoneyForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["method"].label = _("How the difference is paid")


class SalePages:
    """Mixed into the admin of reservations."""

    change_form_template = "reservations/reservation_change_form.html"

    def get_urls(self):
        pages = (
            ("ticket", require_safe(self.ticket_view)),
            ("cancel", require_http_methods(["GET", "HEAD", "POST"])(self.cancel_view)),
            ("move", require_http_methods(["GET", "HEAD", "POST"])(self.move_view)),
        )
        own = [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(view),
                name=f"reservations_reservation_{name}",
            )
            for name, view in pages
        ]
        return [*own, *super().get_urls()]

    def render_change_form(self, request, context, *args, **kwargs):
        """Offer on the page what this person may do with a reservation that is not cancelled."""
        context["may_cancel"] = request.user.has_perm("reservations.cancel_reservation")
        context["may_move"] = request.user.has_perm("reservations.move_reservation")
        return super().render_change_form(request, context, *args, **kwargs)

    # The ticket

    def ticket_view(self, request, pk):
        """Answer with the ticket as a PDF; of a cancelled reservation in words."""
        reservation = self._reservation(request, pk)
        if reservation.cancelled_at:
            return self._cancelled_already(request, reservation)
        pdf = tickets.pdf_of(reservation, reservation.seats.all())
        response = HttpResponse(pdf, content_type="application/pdf")
        name = f"ticket-{reservation.reference}.pdf"
        response.headers["Content-Disposition"] = f'inline; filename="{name}"'
        return response

    # Cancelling

    def cancel_view(self, request, pk):
        """Ask why a reservation is cancelled and how the money goes back, and cancel it."""
        reservation = self._reservation(request, pk, "reservations.cancel_reservation")
        if reservation.cancelled_at:
            return self._cancelled_already(request, reservation)
        form = CancelForm(request.POST or None, reservation=reservation)
        if form.is_valid():
            try:
                return self._cancel(request, reservation, **form.cleaned_data)
            except Refused as refused:
                if refused.reason == "cancelled":
                    return self._cancelled_already(request, reservation)
                form.add_error(None, refused.message.splitlines())
        seats = reservation.seats.all()
        return self._ask(request, reservation, "cancel", form=form, seats=seats)

    def _cancel(self, request, reservation, *, reason, method):
        cancelled = sales.cancel(
            reservation.pk, by=request.user, reason=reason, refund_method=method
        )
        values = {"reference": cancelled.reference, "reason": reason}
        self.log_change(request, cancelled, _t("Cancelled: %(reason)s") % values)
        told = [_t("The reservation %(reference)s is cancelled.") % values]
        for seat in cancelled.seat_numbers.split(", "):
            told.append(_t("Seat %(seat)s is free again.") % {"seat": seat})
        if cancelled.price and method != Method.FREE:
            told.append(given_back(cancelled.price, method))
        return self._done(request, cancelled, told)

    # Moving

    def move_view(self, request, pk):
        """Let staff choose other seats, show what that costs or gives back, and move it."""
        reservation = self._reservation(request, pk, "reservations.move_reservation")
        if reservation.cancelled_at:
            return self._cancelled_already(request, reservation)
        choice = Choice(reservation, request.POST if request.method == "POST" else request.GET)
        initial = {"method": request.GET.get("method") or reservation.payment_method}
        form = MoveForm(request.POST or None, initial=initial, reservation=reservation)
        problems = choice.problems()
        if form.is_valid() and not problems:
            try:
                return self._move(request, reservation, choice, form.cleaned_data["method"])
            except Refused as refused:
                if choice.was_done():
                    return self._moved_already(request, reservation)
                problems = refused.message.splitlines()
                choice = Choice(reservation, request.POST)
        return self._ask(request, reservation, "move", form=form, choice=choice, problems=problems)

    def _move(self, request, reservation, choice, method):
        old, new = choice.leaving, choice.coming
        moved = sales.move(
            reservation.pk,
            [seat.pk for seat in old],
            [seat.pk for seat in new],
            by=request.user,
            payment_method=method,
        )
        told = [
            _t("Seat %(old)s was exchanged for %(new)s.")
            % {"old": before.seat_number, "new": after.seat_number}
            for before, after in zip(old, new, strict=True)
        ]
        self.log_change(request, moved, " ".join(told))
        difference = moved.price - reservation.price
        if method != Method.FREE:
            told += [taken(difference, method)] if difference > 0 else []
            told += [given_back(-difference, method)] if difference < 0 else []
        return self._done(request, moved, told)

    # What they share

    def _reservation(self, request, pk, permission=None):
        if not self.has_view_permission(request):
            raise PermissionDenied
        if permission and not request.user.has_perm(permission):
            raise PermissionDenied
        found = Reservation.objects.select_related("event").filter(pk=pk).first()
        if found is None:
            raise Http404
        return found

    def _ask(self, request, reservation, name, **context):
        context |= self.admin_site.each_context(request)
        context |= {"opts": self.opts, "reservation": reservation, "title": TITLES[name]}
        return TemplateResponse(request, f"reservations/reservation_{name}.html", context)

    def _done(self, request, reservation, told, level=messages.SUCCESS):
        lines = format_html_join(mark_safe("<br>"), "{}", ((line,) for line in told))
        self.message_user(request, lines, level)
        return HttpResponseRedirect(
            reverse("admin:reservations_reservation_change", args=[reservation.pk])
        )

    def _cancelled_already(self, request, reservation):
        text = _t("The reservation %(reference)s is cancelled; it has no seats and no ticket.")
        told = text % {"reference": reservation.reference}
        return self._done(request, reservation, [told], messages.WARNING)

    def _moved_already(self, request, reservation):
        told = _t("The reservation has these seats already.")
        return self._done(request, reservation, [told], messages.INFO)


TITLES = {"cancel": _("Cancel the reservation"), "move": _("Move to other seats")}


def taken(amount, method):
    values = {"amount": number_format(amount), "method": Method(method).label}
    return _t("To be taken: %(amount)s (%(method)s)") % values


def given_back(amount, method):
    values = {"amount": number_format(amount), "method": Method(method).label}
    return _t("To be given back: %(amount)s (%(method)s)") % values
