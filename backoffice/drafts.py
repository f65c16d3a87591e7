"""What somebody typed and could not save: kept for this person alone, for two weeks."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.clock import database_now

KEPT = timedelta(days=14)


class EditDraft(models.Model):
    """The fields of a page, lines included, as its browser would have sent them.

    ``fields`` is a list of [name, value]; ``base`` is the content of the document as that page was
    loaded (``backoffice.content``), beside which later changes are told.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user")
    )
    target_model = models.CharField(_("type"), max_length=80)
    target_id = models.CharField(_("number"), max_length=40)
    version = models.PositiveIntegerField(_("version"))
    base: "models.JSONField[Any, Any]" = models.JSONField(_("content when opened"))
    fields: "models.JSONField[Any, Any]" = models.JSONField(_("fields"))
    saved_at = models.DateTimeField(_("saved at"), db_default=database_now())

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["user", "target_model", "target_id"], name="draft_once")
        ]
        indexes = [models.Index(fields=["saved_at"], name="draft_age")]

    def __str__(self) -> str:
        return f"{self.target_model} {self.target_id}"


def page_context(model_admin, request, obj):
    return {}
