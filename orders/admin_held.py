"""The screen of held orders: each is settled here, singly or with others, and takes no other page.

A POST answers with the screen itself, so that what was typed for orders that were left alone is
still there. That holds for a PIN as well: it goes back to nobody but who has just typed it, and no
browser or proxy keeps the page (``never_cache``), nor does a report of a fault tell it.
"""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import QueryDict
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.formats import number_format
from django.utils.translation import gettext as _t
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from orders import deciding, held, settling
from orders.admin_history import incident_told, instant, told
from orders.admin_list import span
from orders.held_forms import BUTTONS, OrderForm, Posted, SharedForm, WantedForm
from orders.models import ReviewReason

PER_PAGE = 50


@dataclass(frozen=True)
class Card:
    """A held order as the screen shows it to a person."""

    held: held.HeldOrder
    form: OrderForm
    buttons: list[tuple[str, Any]]
    is_ticked: bool
    was_left: bool  # alone, by the decision that was sent: all that was typed for it is shown
    has_changed: bool  # since the page on which something was typed for it

    @property
    def order(self):
        return self.held.order

    @property
    def needs_nobody(self):
        return not (self.order.review_reason or self.order.open_incidents)

    @property
    def age(self):
        return span(self.order.created_at, self.order.read_at)

    @property
    def waiting(self):
        return span(self.held.since, self.order.read_at)

    @property
    def since(self):
        return instant(self.held.since)

    @property
    def answer(self):
        return told(self.held.call.answer)

    @property
    def incidents(self):
        """The incidents, each with its details in words."""
        return [
            (incident, incident.text and incident_told(incident))
            for incident in self.held.incidents
        ]


class HeldOrdersMixin:
    def get_urls(self):
        view = self.admin_site.admin_view(self.held_view)
        return [path("held/", view, name="orders_productorder_held"), *super().get_urls()]

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    @method_decorator(sensitive_post_parameters())
    @method_decorator(never_cache)
    def held_view(self, request):
        """Show the held orders; carry out what was decided first, if something was."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        wanted = WantedForm(request.GET)
        rows, posted, outcomes = wanted.rows(), None, []
        if request.method == "POST":
            posted = Posted.read(request.POST)
            if not request.user.has_perm(deciding.PERMISSIONS[posted.choice]):
                raise PermissionDenied
            typed = [posted.of_order(pk) for pk in posted.chosen]
            outcomes = deciding.carry_out(posted.choice, typed, by=request.user)
        allowed = [
            choice for choice, name in deciding.PERMISSIONS.items() if request.user.has_perm(name)
        ]
        context = self.admin_site.each_context(request) | shown(
            wanted, rows, request.GET, allowed, posted, outcomes
        )
        context |= {"opts": self.opts, "title": _t("Orders waiting for a decision")}
        return TemplateResponse(request, "admin/orders/productorder/held.html", context)


def shown(wanted, rows, query, allowed, posted, outcomes):
    """Return what the screen shows of held orders after a decision, or before any."""
    reason = wanted.cleaned_data["reason"]
    keys = held.of_reason(rows, reason).order_by("pk").values_list("pk", flat=True)
    page = Paginator(keys, PER_PAGE).get_page(query.get("p"))
    left = [outcome for outcome in outcomes if not outcome.done]
    done = [outcome for outcome in outcomes if outcome.done]
    found = cards(list(page.object_list), allowed, posted, done, left)
    ways = {way.integration_id: way.name for card in found for way in card.held.ways}
    shared = (
        posted.shared if posted and (left or not posted.is_bulk) else SharedForm(prefix="shared")
    )
    return {
        "wanted": wanted,
        "tabs": tabs(held.counts(rows), reason, query),
        "page": page,
        "query": query.urlencode(),
        "of_pages": changed(query, p=None),
        "cards": found,
        "shared": shared.offer(ways.items()),
        "bulk": [(choice, BUTTONS[choice]) for choice in allowed],
        **{f"may_{choice}": choice in allowed for choice in BUTTONS},
        "done": done,
        "left": left,
        "nothing_chosen": posted is not None and not outcomes,
    }


def cards(keys, allowed, posted, done, left):
    """Return the cards of a page, with those of orders for which something is still typed."""
    settled = {item.order_id for item in done if posted.choice != settling.CHECK}
    left_alone = {item.order_id for item in left}
    begun = {pk for pk in posted.seen if posted.is_begun(pk)} - settled if posted else set()
    found = []
    for order in held.read({*keys, *begun, *left_alone}):
        pk = order.order.pk
        typed = posted is not None and pk in posted.forms and pk not in settled
        form = posted.forms[pk] if typed else OrderForm(prefix=str(pk), initial=proposed(order))
        card = Card(
            held=order,
            form=form.offer([(way.integration_id, way_told(way)) for way in order.ways]),
            buttons=[(name, BUTTONS[name]) for name in allowed if name in order.choices],
            is_ticked=typed and pk in posted.ticked,
            was_left=pk in left_alone,
            has_changed=pk in begun | left_alone and posted.seen[pk] != order.seen,
        )
        if pk in left_alone or not card.needs_nobody:
            found.append(card)
    return found


def proposed(order):
    return {"amount": order.left_to_refund}


def way_told(way):
    """Return what a person has to know of a provider before sending an order there."""
    cost = way.cost is not None and number_format(way.cost, 2)
    facts = [
        (cost, _t("cost %(cost)s") % {"cost": cost}),
        (way.costs_too_much, _t("more than the price")),
        (way.is_low, _t("our money there is low")),
        (way.is_left_alone, _t("fails, and is left alone for a while")),
        (way.has_refused, _t("has refused this order")),
    ]
    said = _t(", ").join(text for applies, text in facts if applies)
    return f"{way.name} ({said})" if said else way.name


def tabs(counts, reason, query):
    """Return the narrowings by reason: (address, what it is called, how many, whether it is on)."""
    labels = {"": _t("all"), **dict(ReviewReason.choices), held.INCIDENT: _t("unclosed incidents")}
    return [
        (changed(query, reason=name, p=None), label, counts.get(name, 0), name == reason)
        for name, label in labels.items()
        if name in ("", reason) or counts.get(name)
    ]


def changed(query: QueryDict, **values):
    """Return a query with other values, without those that are None or empty."""
    query = query.copy()
    for name, value in values.items():
        query.pop(name, None)
        if value:
            query[name] = value
    return f"?{query.urlencode()}"
