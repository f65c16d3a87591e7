"""A document that was deleted while somebody was writing in it: shown as a new one, all typed."""

from django.contrib.admin.utils import flatten_fieldsets
from django.forms.formsets import INITIAL_FORM_COUNT
from django.utils.translation import gettext as _t

from backoffice import content, edit_history
from backoffice.draft_overlay import line_starts


def as_new(model_admin, request):
    """Return what a page sent for its document as the page of a new one would have sent it."""
    sent = request.POST.copy()
    names = flatten_fieldsets(model_admin.get_fieldsets(request, None))
    form = model_admin.get_form(request, None, change=False, fields=names)
    for name, field in form.base_fields.items():
        if field.initial is not None and field.widget.value_omitted_from_data(sent, {}, name):
            sent[name] = field.initial() if callable(field.initial) else field.initial
    for lines in content.lines_of(model_admin, request, None):
        sent[f"{lines.prefix}-{INITIAL_FORM_COUNT}"] = "0"
        for start in line_starts(sent, lines.prefix):
            for own in (lines.formset.model._meta.pk.name, lines.formset.fk.name):
                sent[start + own] = ""
    return sent


def gone_text(model, pk, *, may_add):
    """Return the sentences for who saves a document that was deleted, with the name if known."""
    person = edit_history.who_deleted(model, pk)
    gone = (
        _t("%(person)s deleted this document; what you typed is still on this page.")
        if person
        else _t("This document was deleted meanwhile; what you typed is still on this page.")
    ) % {"person": person}
    return " ".join([gone, _t("Saving makes a new document of it.")] if may_add else [gone])
