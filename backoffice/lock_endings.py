"""The second look before claims are ended, for the lock desk and for the lists of documents.

What is ended is what the page of the second look showed; ``backoffice.claim_endings`` judges each
anew.
"""

from itertools import islice

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import BadRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice import claim_endings, lock_words
from backoffice.audit import LockEvent
from backoffice.claims import KINDS
from backoffice.lock_desk import Claims, Taking
from backoffice.persian import digits_shown

MOST_AT_ONCE = 2_000
MOST_NAMED = 20


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=LockEvent._meta.get_field("reason").max_length,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        error_messages={"required": _("Say why you end what somebody is working on.")},
    )


def ask_or_end(request, takings, template, *, only_stale=False, **shown):
    """Return the page that asks before claims are ended; None where there is nothing to ask.

    Then either nothing can be ended, or what was confirmed is; both are told. Live ones are ended
    with a reason only. ``shown`` is what else the page shows.
    """
    chosen = claim_endings.look_up(takings, by=request.user)
    if only_stale:
        chosen.spare_live()
    if not (chosen.live or chosen.stale):
        messages.warning(request, _t("Nothing was chosen that you could end."))
        _tell_left_alone(request, chosen)
        return None
    confirmed = "confirmed" in request.POST
    form = ReasonForm(request.POST if confirmed else None)
    if not chosen.live:
        del form.fields["reason"]
    if confirmed and form.is_valid():
        reason = form.cleaned_data.get("reason", "")
        _tell(request, claim_endings.end(takings, by=request.user, reason=reason))
        return None
    context = admin.site.each_context(request) | {
        "title": _("Clear stale locks") if only_stale else _("Release lock"),
        "chosen": chosen,
        "left_alone": list(islice(_left_alone(chosen), MOST_NAMED)),
        "form": form,
    }
    return TemplateResponse(request, template, context | shown)


def shown_takings(request):
    """Return the takings that a page named; refuse what no page of ours names."""
    try:
        return [Taking.read(text) for text in request.POST.getlist("claim")]
    except ValueError:
        raise BadRequest("No claim is written like this") from None


def release_in_list(model_admin, request, queryset):
    """Ask before the locks of the chosen rows of a list are ended, or end what was confirmed."""
    if "confirmed" in request.POST:
        takings, more = shown_takings(request)[:MOST_AT_ONCE], False
    else:
        kind = KINDS[f"edit:{model_admin.opts.label}"]
        keys = list(queryset.by_claims().values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        found = Claims({kind: kind.rows().filter(pk__in=keys[:MOST_AT_ONCE])})
        takings, more = [claim.taking for claim in found[:]], len(keys) > MOST_AT_ONCE
    return ask_or_end(
        request,
        takings,
        "admin/release_locks.html",
        more=more,
        most_at_once=MOST_AT_ONCE,
        opts=model_admin.opts,
    )


def _tell(request, ended):
    for kind, claims in ended.claims.items():
        named = [lock_words.whose(one.name, one.holder, one.since) for one in claims[:MOST_NAMED]]
        names = _t("; ").join(named) + (" …" if len(claims) > MOST_NAMED else ".")
        text = ngettext(
            "%(kind)s: %(count)s lock was released: %(names)s",
            "%(kind)s: %(count)s locks were released: %(names)s",
            len(claims),
        ) % {"kind": kind.label, "count": len(claims), "names": names}
        messages.success(request, digits_shown(text))
    _tell_left_alone(request, ended.left)


def _tell_left_alone(request, chosen):
    left_alone = list(_left_alone(chosen))
    for name, why in left_alone[:MOST_NAMED]:
        messages.warning(
            request, _t("%(name)s was left alone: %(why)s") % {"name": name, "why": why}
        )
    more = len(left_alone) - MOST_NAMED
    if more > 0:
        text = ngettext("%(count)s more was left alone.", "%(count)s more were left alone.", more)
        messages.warning(request, digits_shown(text % {"count": more}))


def _left_alone(chosen):
    """Yield the name of each claim that is not ended, with the reason in words."""
    for claim in chosen.spared:
        yield claim.name, _t("it is active")
    for claim in chosen.forbidden:
        yield claim.name, _t("you may not end it")
    for claim in chosen.taken_again:
        since = {"holder": claim.holder, "time": lock_words.since(claim.since)}
        yield claim.name, _t("it changed hands; with %(holder)s since %(time)s") % since
    for name in claim_endings.names_of(chosen.gone):
        yield name, _t("it was free already")
