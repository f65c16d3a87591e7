from django.db import models


class Order(models.Model):
    reference = models.CharField(max_length=255, unique=True)
    status = models.CharField(max_length=10, default="sent", db_index=True)
    message = models.CharField(max_length=300, blank=True)
    pin_code = models.TextField(blank=True)
    tries = models.PositiveIntegerField(default=0)
    checked_at = models.DateTimeField(null=True, db_index=True)

    def __str__(self):
        return self.reference
