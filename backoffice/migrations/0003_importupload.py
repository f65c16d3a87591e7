import django.db.models.functions.datetime
from django.db import migrations, models

import backoffice.import_storage


class Migration(migrations.Migration):

    dependencies = [
        ('backoffice', '0002_theme'),
    ]

    operations = [
        migrations.CreateModel(
            name='ImportUpload',
            fields=[
                ('key', models.CharField(default=backoffice.import_storage.new_key, max_length=32, primary_key=True, serialize=False, verbose_name='key')),
                ('data', models.BinaryField(verbose_name='file')),
                ('uploaded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='uploaded at')),
            ],
            options={
                'verbose_name': 'file to import',
                'verbose_name_plural': 'files to import',
                'default_permissions': (),
            },
        ),
    ]
