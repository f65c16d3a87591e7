"""What a type and a status of a document demand, in one place for pages, files and the database.

``FILLED_BY`` says which types fill which column. From it come the fields of each form, the
columns of each file, and the CHECKs.
"""

from dataclasses import dataclass

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from inventory.master_data import OURSELVES, plausible


class Status(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("document", "Draft")
    APPROVED = "approved", pgettext_lazy("document", "Approved")
    POSTED = "posted", pgettext_lazy("document", "Posted")
    CANCELLED = "cancelled", pgettext_lazy("document", "Cancelled")


FINAL = (Status.POSTED, Status.CANCELLED)


class DocumentType(models.TextChoices):
    RECEIPT_TEMPORARY = "receipt_temporary", _("temporary receipt")
    RECEIPT_PERMANENT = "receipt_permanent", _("permanent receipt")
    RECEIPT_CONSIGNMENT = "receipt_consignment", _("consignment receipt")
    ISSUE_PERMANENT = "issue_permanent", _("permanent issue")
    ISSUE_CONSUMPTION = "issue_consumption", _("consumption issue")
    ISSUE_CONSIGNMENT = "issue_consignment", _("consignment issue")
    STOCKTAKING_DEFICIT = "stocktaking_deficit", _("stocktaking deficit")
    STOCKTAKING_SURPLUS = "stocktaking_surplus", _("stocktaking surplus")


class Direction(models.TextChoices):
    TO_OWNER = "to_owner", _("back to its owner")
    OUT = "out", _("own goods sent out")


class InspectionState(models.TextChoices):
    AWAITING = "awaiting", pgettext_lazy("document", "Awaiting inspection")
    APPROVED = "approved", pgettext_lazy("document", "Approved")
    REJECTED = "rejected", pgettext_lazy("document", "Rejected")


@dataclass(frozen=True)
class Filled:
    """The types that may fill a column, and those of them that must."""

    may: tuple
    must: tuple = ()
    empty: str | None = None  # what the column holds in all other types


T = DocumentType
STOCKTAKING = (T.STOCKTAKING_DEFICIT, T.STOCKTAKING_SURPLUS)
CONSIGNMENT = (T.RECEIPT_CONSIGNMENT, T.ISSUE_CONSIGNMENT)
FILLED_BY = {
    "supplier": Filled((T.RECEIPT_TEMPORARY, T.RECEIPT_PERMANENT)),
    "temporary_receipt": Filled((T.RECEIPT_PERMANENT,)),
    "inspection_state": Filled((T.RECEIPT_TEMPORARY,), (T.RECEIPT_TEMPORARY,), empty=""),
    "org_unit": Filled((T.ISSUE_CONSUMPTION,), (T.ISSUE_CONSUMPTION,)),
    "direction": Filled((T.ISSUE_CONSIGNMENT,), (T.ISSUE_CONSIGNMENT,), empty=""),
    "owner": Filled(CONSIGNMENT, CONSIGNMENT),
    "destination_warehouse": Filled((T.ISSUE_CONSIGNMENT,)),
    "expected_return_date": Filled(CONSIGNMENT),
    "stocktaking": Filled(STOCKTAKING, STOCKTAKING),
}


def consignment_problems(document):
    """Return what is wrong with whose goods go where, as {field: message}."""
    problems = {}
    own = document.owner_id == OURSELVES
    out = document.direction == Direction.OUT
    if document.owner_id and own != out:
        problems["owner"] = (
            _("Own goods are sent out: the owner is ourselves.")
            if out
            else _("Consigned goods belong to somebody else than ourselves.")
        )
    if out and document.destination_warehouse_id in (None, document.warehouse_id):
        problems["destination_warehouse"] = _("Choose another warehouse, where the goods then lie.")
    if not out and document.destination_warehouse_id:
        problems["destination_warehouse"] = _("Goods that go back to their owner lie nowhere.")
    return problems


def status_constraints():
    """Return what a status demands of the columns that tell who took the step, and when."""
    posted = Q(document_number__isnull=False, posted_at__isnull=False, posted_by__isnull=False)
    not_posted = Q(document_number__isnull=True, posted_at__isnull=True, posted_by__isnull=True)
    cancelled = Q(cancelled_at__isnull=False, cancelled_by__isnull=False) & ~Q(cancel_reason="")
    not_cancelled = Q(cancelled_at__isnull=True, cancelled_by__isnull=True, cancel_reason="")
    approved = Q(approved_at__isnull=False, approved_by__isnull=False)
    not_approved = Q(approved_at__isnull=True, approved_by__isnull=True)
    final, is_cancelled = Q(status__in=FINAL), Q(status=Status.CANCELLED)
    return [
        _check("posted_with_number", (final & posted) | (~final & not_posted)),
        _check(
            "cancelled_with_reason", (is_cancelled & cancelled) | (~is_cancelled & not_cancelled)
        ),
        _check(
            "approved_by_somebody",
            (~Q(status=Status.DRAFT) & approved) | (~Q(status=Status.APPROVED) & not_approved),
        ),
        _check("status_known", Q(status__in=Status.values)),
        _check("date_plausible", plausible("document_date")),
        _check("number_positive", Q(document_number__isnull=True) | Q(document_number__gte=1)),
    ]


def type_constraints():
    """Return what a type demands of the columns that not all types fill."""
    checks = [_check("type_known", Q(document_type__in=DocumentType.values))]
    for field, rule in FILLED_BY.items():
        empty = Q(**{f"{field}__isnull": True}) if rule.empty is None else Q(**{field: rule.empty})
        checks.append(_check(f"{field}_only", empty | Q(document_type__in=rule.may)))
        if rule.must:
            checks.append(_check(f"{field}_needed", ~empty | ~Q(document_type__in=rule.must)))
    own = Q(owner=OURSELVES)
    to_owner = Q(direction=Direction.TO_OWNER, destination_warehouse__isnull=True) & ~own
    out = Q(direction=Direction.OUT, destination_warehouse__isnull=False) & own
    elsewhere = ~Q(destination_warehouse=F("warehouse"))
    return [
        *checks,
        _check("received_from_owner", ~Q(document_type=T.RECEIPT_CONSIGNMENT) | ~own),
        _check(
            "consignment_goes_somewhere",
            ~Q(document_type=T.ISSUE_CONSIGNMENT) | to_owner | (out & elsewhere),
        ),
        models.UniqueConstraint(
            fields=["document_type", "draft_number"], name="document_draft_number_once"
        ),
        models.UniqueConstraint(
            fields=["document_type", "fiscal_year", "document_number"],
            condition=Q(document_number__isnull=False),
            name="document_number_once",
        ),
        models.UniqueConstraint(
            fields=["temporary_receipt"],
            condition=~Q(status=Status.CANCELLED),
            name="temporary_receipt_converted_once",
            violation_error_message=_("This temporary receipt was converted already."),
        ),
        models.UniqueConstraint(
            fields=["stocktaking", "document_type"],
            condition=~Q(status=Status.CANCELLED),
            name="stocktaking_difference_once",
            violation_error_message=_("This stocktaking has such a document already."),
        ),
    ]


def _check(name, condition):
    return models.CheckConstraint(condition=condition, name=f"%(class)s_{name}")
