"""The import and export pages of the admin."""

import logging

from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from import_export.admin import ExportActionMixin, ImportMixin
from import_export.forms import ImportForm, SelectableFieldsExportForm

from backoffice import persian
from backoffice.import_files import FORMATS, XLSX, format_of
from backoffice.import_guards import Unreadable, check_upload
from backoffice.lock_actions import reads_only

logger = logging.getLogger(__name__)


class OfficeImportForm(ImportForm):
    """The file alone: what it is shows in the file itself."""

    def __init__(self, formats, resources, **kwargs):
        super().__init__(formats, resources, **kwargs)
        del self.fields["format"]
        self.fields["import_file"].widget.attrs.update({"accept": ".xlsx,.csv", "class": ""})

    @property
    def media(self):
        return super(ImportForm, self).media  # without the script that guesses the format

    def clean_import_file(self):
        file = self.cleaned_data["import_file"]
        try:
            kind = check_upload(file)
        except Unreadable as refusal:
            raise ValidationError(str(refusal)) from refusal
        kinds = [file_format().get_extension() for file_format in FORMATS]
        self.cleaned_data["format"] = str(kinds.index(kind))
        return file


class OfficeExportForm(SelectableFieldsExportForm):
    def __init__(self, formats, resources, **kwargs):
        super().__init__(formats, resources, **kwargs)
        self.fields["format"].choices = self.fields["format"].choices[1:]
        self.fields["format"].initial = "0"

    def _get_field_label(self, resource, field_name):
        return resource().fields[field_name].column_name


class OfficeImportExportMixin(ImportMixin, ExportActionMixin):
    """Imports and exports in the formats, under the guards and by the permissions of the office.

    An admin class names its ``resource_classes``, each an ``OfficeResource``.
    """

    formats = FORMATS
    import_form_class = OfficeImportForm
    export_form_class = OfficeExportForm
    import_export_change_list_template = "admin/import_export/change_list_import_export.html"
    change_form_template = None
    show_change_form_export = False

    def get_urls(self):
        info = "_".join(self.get_model_info())
        view = self.admin_site.admin_view(self.template_view)
        return [path("import/template/", view, name=f"{info}_template"), *super().get_urls()]

    def template_view(self, request):
        """Answer with a sheet that has the headings of an import, and a page that explains them."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        classes = self.get_import_resource_classes(request)
        chosen = request.GET.get("resource", "0")
        if chosen not in map(str, range(len(classes))):
            raise Http404
        resource = classes[int(chosen)]()
        response = HttpResponse(resource.template(), content_type=XLSX().get_content_type())
        name = f"{self.opts.model_name}-template.xlsx"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    # Import

    def add_data_read_fail_error_to_form(self, form, e):
        if not isinstance(e, Unreadable):
            logger.error("A brought file could not be read", exc_info=e)
        told = str(e) if isinstance(e, Unreadable) else _t("This file could not be read.")
        form.add_error("import_file", told)

    @method_decorator(require_POST)
    def process_import(self, request, **kwargs):
        """Import a file that was confirmed, once, with its history in the same transaction."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = self.create_confirm_form(request)
        told = _t("This file was confirmed already or waited too long. Choose it again.")
        try:
            with transaction.atomic():
                data = self._take_upload(form)
                if data:
                    dataset = format_of(data)().create_dataset(data)
                    result = self.process_dataset(dataset, form, request, **kwargs)
                    return self.process_result(result, request)
        except IntegrityError:  # a row that is named was deleted at the same moment
            told = _t("Nothing was imported: the stored data changed after the preview.")
        messages.error(request, told)
        return HttpResponseRedirect(self._url("import"))

    def _take_upload(self, form):
        if not form.is_valid():
            return None
        return self.get_tmp_storage_class()(name=form.cleaned_data["import_file_name"]).take()

    def process_result(self, result, request):
        """Tell what was imported; or that nothing was, as the data changed since the preview."""
        if not (result.has_errors() or result.has_validation_errors()):
            return super().process_result(result, request)
        messages.error(
            request, _t("Nothing was imported: the stored data changed after the preview.")
        )
        resource_classes = self.get_import_resource_classes(request)
        context = self.admin_site.each_context(request) | {
            "title": _("Import"),
            "form": self.get_import_form_class(request)(
                self.get_import_formats(), resource_classes
            ),
            "opts": self.opts,
            "result": result,
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, [self.import_template_name], context)

    def add_success_message(self, result, request):
        counts = {kind: persian.digits_shown(str(n)) for kind, n in result.totals.items()}
        messages.success(
            request,
            _t("Imported: %(new)s new, %(update)s changed, %(skip)s unchanged.") % counts,
        )

    def _log_actions(self, result, request):
        """Write an object's history once, however many rows told of it."""
        flags = {}
        for row in result:
            if row.import_type in (row.IMPORT_TYPE_NEW, row.IMPORT_TYPE_UPDATE):
                flags.setdefault(row.instance, ADDITION if row.is_new else CHANGE)
        name = request.POST["original_file_name"]
        told = _t("Imported from the file “%(name)s”.") % {"name": name}
        for flag in (ADDITION, CHANGE):
            objects = [instance for instance, its in flags.items() if its == flag]
            if objects:
                LogEntry.objects.log_actions(
                    request.user.pk, objects, flag, told, single_object=len(objects) == 1
                )

    # Export

    def get_export_data(self, file_format, request, queryset, **kwargs):
        if not self.has_export_permission(request):
            raise PermissionDenied
        return file_format.export_data(self.get_data_for_export(request, queryset, **kwargs))

    def get_export_filename(self, request, queryset, file_format):
        day = persian.jalali_ascii(timezone.localdate()).replace("/", "-")
        return f"{self.opts.model_name}-{day}.{file_format.get_extension()}"

    def get_valid_export_item_pks(self, request):
        return self.get_export_queryset(request).values_list("pk", flat=True)

    @reads_only
    def export_admin_action(self, request, queryset):
        if not self.has_export_permission(request):
            raise PermissionDenied
        return super().export_admin_action(request, queryset)

    def _url(self, name):
        info = "_".join(self.get_model_info())
        return reverse(f"admin:{info}_{name}", current_app=self.admin_site.name)
