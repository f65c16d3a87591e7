"""The page «Locks»: all that is claimed now, and how staff end some of it, after a second look."""

from collections import Counter
from dataclasses import replace

from django import forms
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from backoffice import health, lock_desk, lock_endings
from backoffice.lock_desk import Wanted
from backoffice.lock_endings import MOST_AT_ONCE
from backoffice.schedules import task_label

PER_PAGE = 100
REFRESH_HEADER = "X-Refresh"  # of the page that asks for its table anew


def urls(site):
    """Return the addresses of the desk, under those of the admin."""
    return [
        path("locks/", site.admin_view(never_cache(desk)), name="lock_desk"),
        path("locks/end/", site.admin_view(never_cache(end)), name="lock_desk_end"),
    ]


def is_open_to(user):
    """Return whether a person may see at least one kind of claim, and so the desk."""
    return bool(lock_desk.kinds_seen_by(user))


class WantedForm(forms.Form):
    """What the desk shows. A value that nobody has any more still narrows, to nothing."""

    q = forms.CharField(label=_("Search"), required=False)
    app = forms.CharField(label=_("section"), required=False, widget=forms.Select)
    kind = forms.CharField(label=_("kind"), required=False, widget=forms.Select)
    holder = forms.CharField(label=_("holder"), required=False, widget=forms.Select)
    state = forms.CharField(label=_("state"), required=False, widget=forms.Select)
    o = forms.CharField(required=False, widget=forms.HiddenInput)

    def wanted(self):
        """Return which claims are wanted; refuse what no page of ours asks."""
        if not self.is_valid():
            raise BadRequest("The desk can't be narrowed to this")
        told = self.cleaned_data
        return Wanted(
            told["app"], told["kind"], told["holder"], told["state"], told["q"], told["o"]
        )

    def offer(self, kinds, tallies):
        """Let people choose among what there is, each with how many claims it has."""
        active, run_out = _t("active"), _t("run out")
        sections = dict.fromkeys(kind.app_label for kind in kinds)
        holders = {tally.holder for tally in tallies} | {self["holder"].value() or ""}
        choices = {
            "app": [(app, apps.get_app_config(app).verbose_name) for app in sections],
            "kind": [(kind.name, kind.label) for kind in kinds],
            "holder": [(name, name) for name in sorted(holders) if name],
            "state": [("live", active), ("stale", run_out)],
        }
        counts = Counter()
        for tally in tallies:
            state = "live" if tally.live else "stale"
            values = (tally.kind.app_label, tally.kind.name, tally.holder, state)
            for name_and_value in zip(choices, values, strict=True):
                counts[name_and_value] += tally.count
        for name, offered in choices.items():
            shown = [
                (value, f"{label} ({number_format(counts[name, value])})")
                for value, label in offered
            ]
            self.fields[name].widget.choices = [("", _t("all")), *shown]


@require_safe
def desk(request):
    """Show what is claimed now; to a page that refreshes itself only the part that changes."""
    kinds = _kinds_seen(request)
    form = WantedForm(request.GET)
    paginator = Paginator(lock_desk.claims(kinds, form.wanted()), PER_PAGE)
    page = paginator.get_page(request.GET.get("p"))
    tallies = lock_desk.tallies(kinds)
    claims = [(claim, claim.may_be_ended_by(request.user)) for claim in page]
    shown = {
        "page": page,
        "claims": claims,
        "may_end_some": any(may_end for _claim, may_end in claims),
        "sort": _turned(form.wanted().order),
        "pages": paginator.get_elided_page_range(page.number),
        "ellipsis": paginator.ELLIPSIS,
        "live": sum(tally.count for tally in tallies if tally.live),
        "stale": sum(tally.count for tally in tallies if not tally.live),
        "cleaners": [(task_label(name), told) for name, told in health.cleaners().items()],
        "sees_events": request.user.has_perm("backoffice.view_lockevent"),
        "most_at_once": MOST_AT_ONCE,
        "query": request.GET.urlencode(),
    }
    if REFRESH_HEADER in request.headers:
        request.is_beat = True  # a page that nobody looks at must not keep its session alive
        return TemplateResponse(request, "admin/lock_desk_now.html", shown)
    form.offer(kinds, tallies)
    context = admin.site.each_context(request) | shown | {"title": _("Locks"), "form": form}
    return TemplateResponse(request, "admin/lock_desk.html", context)


def _turned(order):
    """Return for each column by what a click sorts: the other way round where it sorts already."""
    return {name: f"-{name}" if order == name else name for name in lock_desk.ORDERS}


def _kinds_seen(request):
    kinds = lock_desk.kinds_seen_by(request.user)
    if not kinds:
        raise PermissionDenied
    return kinds


# Ending


def end(request):
    """Ask before ending what was chosen, and end it once that is confirmed."""
    kinds = _kinds_seen(request)
    back = HttpResponseRedirect(f"{reverse('admin:lock_desk')}?{request.GET.urlencode()}")
    if request.method != "POST":
        return back
    only_stale = request.POST.get("action") == "clear"
    takings, more = _chosen(request, kinds, only_stale)
    page = lock_endings.ask_or_end(
        request,
        takings,
        "admin/lock_desk_end.html",
        only_stale=only_stale,
        more=more,
        most_at_once=MOST_AT_ONCE,
        action="clear" if only_stale else "release",
        query=request.GET.urlencode(),
    )
    return page or back


def _chosen(request, kinds, only_stale):
    """Return the takings that were ticked or are meant by "all", and whether there are more."""
    if "everything" not in request.POST:
        takings = lock_endings.shown_takings(request)
        return takings[:MOST_AT_ONCE], len(takings) > MOST_AT_ONCE
    wanted = WantedForm(request.GET).wanted()
    if only_stale and not wanted.state:
        wanted = replace(wanted, state="stale")
    found = lock_desk.claims(kinds, wanted)[: MOST_AT_ONCE + 1]
    return [claim.taking for claim in found[:MOST_AT_ONCE]], len(found) > MOST_AT_ONCE
