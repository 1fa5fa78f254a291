from django.db import migrations

from studies.database.schema import sql_file


class Migration(migrations.Migration):
    dependencies = [("studies", "0002_audit_trail")]
    operations = [
        sql_file("concealed", role="concealer"),
        sql_file("arms", role="concealer"),
        sql_file("allocate", role="concealer"),
    ]
