from django.db import migrations

from studies.database.schema import sql_file


class Migration(migrations.Migration):
    dependencies = [("studies", "0001_initial")]
    operations = [sql_file("audit", role="recorder"), sql_file("stamp", role="recorder")]
