"""The page «Seat map from a file» of an event: choose, look at what would happen, confirm."""

import base64
import hashlib
import json
from collections import defaultdict

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from backoffice.import_guards import Unreadable
from backoffice.import_rows import shown
from backoffice.import_storage import DatabaseStorage
from backoffice.persian import digits_shown
from reservations import plan_files, seat_plan
from reservations.models import Event, Seat
from reservations.refusals import Refused, in_words
from reservations.seatmap import ORDER

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


class PlanForm(forms.Form):
    """The file of a plan, and whether seats that it does not name go."""

    file = forms.FileField(
        label=_("File"), widget=forms.FileInput(attrs={"accept": ".csv,.xlsx,.json"})
    )
    removes = forms.BooleanField(
        label=_("Free seats that are not in the file are removed"), required=False
    )

    def __init__(self, *args, may_remove, **kwargs):
        super().__init__(*args, **kwargs)
        if not may_remove:
            del self.fields["removes"]

    def clean_file(self):
        file = self.cleaned_data["file"]
        try:
            self.kind = plan_files.kind_of(file)
        except Unreadable as refusal:
            raise ValidationError(str(refusal)) from refusal
        return file


class Upload:
    """A file that was brought, with what its preview showed; kept until it is confirmed."""

    def __init__(self, event, user, form):
        file = form.cleaned_data["file"]
        self.event, self.user = event.pk, user.pk
        self.name, self.kind, self.data = file.name, form.kind, file.read()
        self.removes = form.cleaned_data.get("removes", False)
        self.steps = set()

    def keep(self):
        """Put it away; return the key under which it waits."""
        told = vars(self) | {"data": base64.b64encode(self.data).decode()}
        storage = DatabaseStorage()
        storage.save(json.dumps(told | {"steps": sorted(self.steps)}).encode())
        return storage.name

    @classmethod
    def take(cls, key, event, user):
        """Return what waits under a key, to the one who is first to ask; None where it is gone."""
        if not key.isalnum():  # none of ours, and PostgreSQL fails with some signs
            return None
        stored = DatabaseStorage(name=key)
        try:
            told = json.loads(stored.read() or "null")
        except ValueError:  # brought to another page, and waits there
            told = None
        mine = isinstance(told, dict) and (told["event"], told["user"]) == (event.pk, user.pk)
        if not mine or not stored.remove():
            return None
        upload = cls.__new__(cls)
        vars(upload).update(told, data=base64.b64decode(told["data"]))
        upload.steps = {seat_plan.Step(*step) for step in told["steps"]}
        return upload

    def plan(self):
        return plan_files.read(self.data, self.kind)

    def __str__(self):
        """Return what the log calls the file: its name, and the beginning of its hash."""
        return f"{self.name[:100]} · {hashlib.sha256(self.data).hexdigest()[:12]}"


class PlanPages:
    """Mixed into the admin of events."""

    def get_urls(self):
        views = {
            "": ("plan", require_http_methods(["GET", "HEAD", "POST"])(self.plan_view)),
            "sample.<str:kind>": ("plan_sample", require_safe(self.plan_sample_view)),
            "seats.<str:kind>": ("plan_export", require_safe(self.plan_export_view)),
        }
        own = [
            path(f"<int:pk>/plan/{address}", self.admin_site.admin_view(view), name=_name(name))
            for address, (name, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    def render_change_form(self, request, context, *args, **kwargs):
        context["may_bring_plan"] = may_bring_plan(request.user)
        return super().render_change_form(request, context, *args, **kwargs)

    def plan_view(self, request, pk):
        """Let staff choose a file, show what it would do, and do that."""
        event = self._event(request, pk, may_bring_plan(request.user))
        if "key" in request.POST:
            return self._apply_plan(request, event)
        may_remove = request.user.has_perm("reservations.delete_seat")
        form = PlanForm(request.POST or None, request.FILES or None, may_remove=may_remove)
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "event": event,
            "form": form,
            "title": _("Seat map from a file"),
            "columns": _columns(),
            "may_export": request.user.has_perm("reservations.export_seat"),
            **(self._preview(request, event, form) if form.is_valid() else {}),
        }
        return TemplateResponse(request, "reservations/plan.html", context)

    def _preview(self, request, event, form):
        upload = Upload(event, request.user, form)
        plan = upload.plan()
        found = seat_plan.compare(event, plan, removes=upload.removes)
        upload.steps = found.steps()
        problems = plan.problems + [_no_place(row, number) for row, number in found.no_place]
        told = {"upload": upload, "plan": plan, "problems": problems}
        if problems:
            return told
        return told | {
            "difference": found,
            "added": [_cells(seat) for seat in found.added],
            "changes": [_change_cells(change) for change in found.changed],
            "keeps_price": [(change, in_words(change.seat)) for change in found.keeps_price],
            "kept": [(seat, in_words(seat)) for seat in found.kept],
            "notices": list(_notices(found)),
            "key": upload.keep() if upload.steps else "",
        }

    def _apply_plan(self, request, event):
        upload = Upload.take(request.POST["key"], event, request.user)
        if upload is None:
            told = _t("This file was confirmed already or waited too long. Choose it again.")
            return self._plan_done(request, event, [told], messages.ERROR)
        may_remove = request.user.has_perm("reservations.delete_seat")
        try:
            outcome = seat_plan.apply(
                event,
                upload.plan(),
                upload.steps,
                removes=upload.removes and may_remove,
                by=request.user,
                file=str(upload),
            )
        except Refused as refused:
            return self._plan_done(request, event, refused.message.splitlines(), messages.ERROR)
        except IntegrityError:  # a seat was added elsewhere at the same moment
            told = _t("Nothing was imported: the stored data changed after the preview.")
            return self._plan_done(request, event, [told], messages.ERROR)
        if outcome.left:
            told = [_t("Not as the preview showed:"), *outcome.left]
            self._tell(request, told, messages.WARNING)
        return self._plan_done(request, event, _done(outcome), messages.SUCCESS)

    def _plan_done(self, request, event, told, level):
        if told:
            self._tell(request, told, level)
        return HttpResponseRedirect(reverse("admin:reservations_event_plan", args=[event.pk]))

    def _tell(self, request, told, level):
        lines = format_html_join(mark_safe("<br>"), "{}", ((digits_shown(line),) for line in told))
        self.message_user(request, lines, level)

    def plan_sample_view(self, request, pk, kind):
        """Answer with a small plan to be filled in."""
        self._event(request, pk, may_bring_plan(request.user))
        return _file(plan_files.sample(), kind, "seats-sample")

    def plan_export_view(self, request, pk, kind):
        """Answer with the plan of an event, as it comes in again."""
        event = self._event(request, pk, request.user.has_perm("reservations.export_seat"))
        return _file(Seat.objects.filter(event=event).order_by(*ORDER), kind, f"seats-{event.pk}")

    def _event(self, request, pk, may):
        if not (may and self.has_view_permission(request)):
            raise PermissionDenied
        return get_object_or_404(Event, pk=pk)


def may_bring_plan(user):
    return user.has_perm("reservations.import_seat")


def _name(name):
    return f"reservations_event_{name}"


def _file(seats, kind, name):
    make = {"csv": plan_files.as_csv, "json": plan_files.as_json}.get(kind)
    if make is None:
        raise PermissionDenied
    response = HttpResponse(make(seats), content_type=CONTENT_TYPES[kind])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


# What the preview says


def _columns():
    """Return each column of a plan: its heading, its key in JSON, and whether it is needed."""
    keys = {name: key for key, name in plan_files.KEYS.items()}
    return [
        (Seat._meta.get_field(name).verbose_name, keys[name], name == "seat_number")
        for name in plan_files.COLUMNS
    ]


def _cells(seat):
    return seat.seat_number, [shown(getattr(seat, name)) for name in plan_files.LAYOUT]


def _change_cells(change):
    return change.seat.seat_number, [
        (Seat._meta.get_field(name).verbose_name, shown(old), shown(new))
        for name, (old, new) in change.columns.items()
    ]


def _no_place(row, number):
    values = {"row": digits_shown(str(row)), "seat": number}
    return (
        _t(
            "Row %(row)s: the number “%(seat)s” does not tell where the seat is. "
            "Write its row and its place in the row."
        )
        % values
    )


def _notices(found):
    """Say what a plan allows and hardly anybody means."""
    free = [seat.seat_number for seat in found.added if not seat.price]
    if free:
        text = ngettext(
            "%(count)s new seat has no price: %(seats)s",
            "%(count)s new seats have no price: %(seats)s",
            len(free),
        )
        yield text % {"count": len(free), "seats": _some(free)}
    places = defaultdict(list)
    for seat in found.result():
        places[seat.section, seat.row, seat.row_position, seat.position].append(seat.seat_number)
    for numbers in places.values():
        if len(numbers) > 1:
            yield _t("These seats stand at one place: %(seats)s") % {"seats": _some(numbers)}


def _some(numbers, most=20):
    text = ", ".join(numbers[:most])
    return f"{text} …" if len(numbers) > most else text


def _done(outcome):
    """Return a line for each thing that was really done."""
    told = []
    if outcome.added:
        text = ngettext("%(count)s seat was added.", "%(count)s seats were added.", outcome.added)
        told.append(text % {"count": outcome.added})
    if outcome.changed:
        text = ngettext(
            "%(count)s seat was changed.", "%(count)s seats were changed.", outcome.changed
        )
        told.append(text % {"count": outcome.changed})
    if outcome.removed:
        text = ngettext(
            "%(count)s seat was removed.", "%(count)s seats were removed.", outcome.removed
        )
        told.append(text % {"count": outcome.removed})
    return told
