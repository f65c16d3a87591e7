from django.core.management.color import no_style
from django.db import migrations

OURSELVES = 1


def create_ourselves(apps, schema_editor):
    Party = apps.get_model("inventory", "Party")
    Party.objects.create(
        pk=OURSELVES, code="0", name="خودی", is_supplier=False, is_owner=True, search_text="0 خودی"
    )
    # PostgreSQL does not count on from a key that it did not give itself.
    for statement in schema_editor.connection.ops.sequence_reset_sql(no_style(), [Party]):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]

    operations = [migrations.RunPython(create_ourselves, migrations.RunPython.noop)]
