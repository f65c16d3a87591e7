from import_export import resources
from import_export.admin import ImportExportModelAdmin


class OfficeResource(resources.ModelResource):
    pass


class LockAwareResource(OfficeResource):
    pass


class OfficeImportExportMixin(ImportExportModelAdmin):
    pass
