"""The lines of a document on its page: read-only for others, and never lost."""

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils.functional import cached_property

from backoffice import content
from backoffice.draft_overlay import deleted_text
from backoffice.lock_page import held_by_another


class EditLockInlineMixin:
    """Lines are read-only as long as somebody else edits their document."""

    def has_add_permission(self, request, obj=None):
        return super().has_add_permission(request, obj) and not self._held(request, obj)

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and not self._held(request, obj)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and not self._held(request, obj)

    def _held(self, request, obj):
        # A POST is refused with all that was typed, which a permission could not do.
        return request.method == "GET" and held_by_another(request, obj)

    def get_formset(self, request, obj=None, **kwargs):
        formset = super().get_formset(request, obj, **kwargs)
        return type(formset.__name__, (KeptLines, formset), {"sent": request.POST})


class KeptLines:
    """Shows what a draft changes in lines, and what was typed into one that somebody deleted."""

    def __init__(self, *args, restored=None, **kwargs):
        self.restored = restored
        if restored:
            kwargs["initial"] = restored.new
            self.extra = max(self.extra, len(restored.new))
        super().__init__(*args, **kwargs)

    def get_queryset(self):
        """Return the stored lines; of a form that was sent in its order, None for a deleted one.

        The page shows forms and lines side by side, and would leave out the last form for each
        line that is gone.
        """
        stored = super().get_queryset()
        if not self.is_bound or "forms" not in self.__dict__:
            return stored
        return [
            None if form.instance._state.adding else form.instance for form in self.initial_forms
        ]

    def _construct_form(self, i, **kwargs):
        form = super()._construct_form(i, **kwargs)
        if i >= self.initial_form_count():
            note = self.restored and self.restored.notes.get(i - self.initial_form_count())
            if note:
                form._errors = forms.utils.ErrorDict()
                form._errors[NON_FIELD_ERRORS] = self.error_class([note], error_class="nonfield")
        elif self.restored:
            key = str(form.instance.pk)
            form.initial |= self.restored.changed.get(key, {})
            form.initial[forms.formsets.DELETION_FIELD_NAME] = key in self.restored.deleted
        return form

    def full_clean(self):
        super().full_clean()
        for form in self.initial_forms if self.is_bound else ():
            if form.instance._state.adding:
                self._explain(form)

    def _explain(self, form):
        """Say of a line that is gone who deleted it; its own error is that of its hidden key."""
        key = self.model._meta.pk.name
        if form[key].value():
            form.errors.pop(key, None)
            if not self._should_delete_form(form):
                form.add_error(None, self._deleted_text(form[key].value()))

    @cached_property
    def _loaded(self):
        document = self.instance
        base = content.loaded_content(type(document), document.pk, self.sent)
        return base, content.history_since(type(document), document.pk, base)

    def _deleted_text(self, key):
        base, history = self._loaded
        line = base["lines"].get(self.prefix, {}).get(key, {}) if base else {}
        entry = history.of_line("deleted", self.model, line.get("name", ""))
        return deleted_text(entry, history)
