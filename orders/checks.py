"""What must hold before orders are sent and PINs are shown."""

from django.conf import settings
from django.core.checks import Error, Tags, register
from django.db import DatabaseError

from orders.encryption import Undecryptable
from orders.models import ProductOrder, ProviderIntegration

STORED = ((ProviderIntegration, "credentials"), (ProductOrder, "pin_code"))


@register(Tags.database)
def check_keys(app_configs=None, databases=None, **kwargs):
    """An office that starts with other keys than its database would write some with the new ones,
    and find at the counter that it can read none of the old."""
    if "default" not in (databases or ()) or settings.ACCEPT_LOST_KEYS:
        return []
    try:
        for model, column in STORED:
            model.objects.exclude(**{column: ""}).order_by("pk").values_list(column).first()
    except Undecryptable:
        return [
            Error(
                "The PINs and credentials in this database were encrypted with other keys.",
                hint="Put back secrets.env or ENCRYPTION_KEYS from the last backup; "
                "ACCEPT_LOST_KEYS=yes starts without them.",
                id="orders.E001",
            )
        ]
    except DatabaseError:  # before the migration that makes the columns
        return []
    return []
