"""Where a brought file waits between its preview and its confirmation.

In the database, because that is all that several web hosts share: a file or a cache of one host
would be missing on the next. What nobody confirmed goes when the next file comes.
"""

from datetime import timedelta
from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _
from import_export.tmp_storages import BaseStorage

from backoffice.clock import database_now

KEPT = timedelta(days=1)


def new_key():
    return uuid4().hex


class ImportUpload(models.Model):
    key = models.CharField(_("key"), max_length=32, primary_key=True, default=new_key)
    data = models.BinaryField(_("file"))
    uploaded_at = models.DateTimeField(_("uploaded at"), db_default=database_now(), editable=False)

    class Meta:
        verbose_name = _("file to import")
        verbose_name_plural = _("files to import")
        default_permissions = ()

    def __str__(self):
        return self.key


class DatabaseStorage(BaseStorage):
    """The library's temporary storage, as rows of ``ImportUpload``."""

    def save(self, data):
        ImportUpload.objects.filter(uploaded_at__lt=database_now() - KEPT).delete()
        self.name = ImportUpload.objects.create(data=data).key

    def read(self):
        """Return the bytes, or None where they are gone."""
        data = ImportUpload.objects.filter(key=self.name).values_list("data", flat=True).first()
        return None if data is None else bytes(data)

    def take(self):
        """Return the bytes to the one who is first to ask for them, None to everybody else."""
        data = self.read()
        return data if self.remove() else None

    def remove(self):
        """Forget the file; return whether it was there."""
        return ImportUpload.objects.filter(key=self.name).delete()[0] == 1
