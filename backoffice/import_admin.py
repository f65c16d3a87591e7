"""The import and export pages of the admin."""

import logging

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from import_export.admin import ExportActionMixin, ImportMixin
from import_export.forms import ImportForm, SelectableFieldsExportForm
from import_export.results import RowResult

from backoffice import persian
from backoffice.import_files import FORMATS, Unreadable, check_upload

logger = logging.getLogger(__name__)


class OfficeImportForm(ImportForm):
    """The file alone: what it is shows in the file itself."""

    def __init__(self, formats, resources, **kwargs):
        super().__init__(formats, resources, **kwargs)
        self.formats = formats
        del self.fields["format"]
        self.fields["import_file"].widget.attrs.update({"accept": ".xlsx,.csv", "class": ""})

    @property
    def media(self):
        return super(ImportForm, self).media

    def clean_import_file(self):
        file = self.cleaned_data["import_file"]
        try:
            self.file_format = check_upload(file)
        except Unreadable as refusal:
            raise ValidationError(str(refusal)) from refusal
        return file

    def clean(self):
        if hasattr(self, "file_format"):
            self.cleaned_data["format"] = str(self.formats.index(self.file_format))
        return self.cleaned_data


class OfficeExportForm(SelectableFieldsExportForm):
    def __init__(self, formats, resources, **kwargs):
        super().__init__(formats, resources, **kwargs)
        self.fields["format"].choices = self.fields["format"].choices[1:]
        self.fields["format"].initial = "0"

    def _get_field_label(self, resource, field_name):
        return resource().fields[field_name].column_name


class OfficeImportExportMixin(ImportMixin, ExportActionMixin):
    """Imports and exports in the formats, under the guards and by the permissions of the office.

    Its ``resource_classes`` are an OfficeResource each.
    """

    formats = FORMATS
    import_form_class = OfficeImportForm
    export_form_class = OfficeExportForm
    import_export_change_list_template = "admin/import_export/change_list_import_export.html"
    change_form_template = None
    show_change_form_export = False

    # Import

    def add_data_read_fail_error_to_form(self, form, e):
        if isinstance(e, Unreadable):
            form.add_error("import_file", str(e))
        else:
            logger.error("A brought file could not be read", exc_info=e)
            form.add_error("import_file", _t("This file could not be read."))

    def process_import(self, request, **kwargs):
        if request.method == "POST" and not self._upload_is_there(request):
            messages.error(
                request, _t("This file was imported already, or is too old. Choose it again.")
            )
            return HttpResponseRedirect(self._url("import"))
        return super().process_import(request, **kwargs)

    def _upload_is_there(self, request):
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = self.create_confirm_form(request)
        if not form.is_valid():
            return False
        storage = self.get_tmp_storage_class()(
            name=form.cleaned_data["import_file_name"], **self.get_tmp_storage_class_kwargs()
        )
        return storage.read() is not None

    def process_result(self, result, request):
        """Tell what was imported; or that nothing was, as the data changed since the preview."""
        if not (result.has_errors() or result.has_validation_errors()):
            return super().process_result(result, request)
        messages.error(
            request, _t("Nothing was imported: the stored data changed after the preview.")
        )
        context = self.admin_site.each_context(request) | {
            "title": _("Import"),
            "form": self.create_import_form_again(request),
            "opts": self.opts,
            "result": result,
            "media": self.media,
        }
        return TemplateResponse(request, [self.import_template_name], context)

    def create_import_form_again(self, request):
        """Return an empty import form, for the page that shows why a file was refused."""
        resource_classes = self.get_import_resource_classes(request)
        return self.get_import_form_class(request)(self.get_import_formats(), resource_classes)

    def add_success_message(self, result, request):
        count = {
            kind: persian.digits_shown(str(result.totals[kind]))
            for kind in (RowResult.IMPORT_TYPE_NEW, RowResult.IMPORT_TYPE_UPDATE, "skip")
        }
        messages.success(
            request,
            _t("Imported: %(new)s new, %(update)s changed, %(skip)s unchanged.") % count,
        )

    # Export

    def get_valid_export_item_pks(self, request):
        return self.get_export_queryset(request).values_list("pk", flat=True)

    def export_admin_action(self, request, queryset):
        if not self.has_export_permission(request):
            raise PermissionDenied
        return super().export_admin_action(request, queryset)

    def _url(self, name):
        app_label, model_name = self.get_model_info()
        return reverse(f"admin:{app_label}_{model_name}_{name}", current_app=self.admin_site.name)
