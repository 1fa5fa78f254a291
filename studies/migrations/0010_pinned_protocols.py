from django.db import migrations

from studies.database.schema import sql_file


class Migration(migrations.Migration):
    """The unblinded side keeps the hashes of the protocol texts that its lists and arms are for."""

    dependencies = [("studies", "0009_corrections_and_events")]
    operations = [sql_file("lists", role="concealer")]
