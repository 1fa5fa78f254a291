from django.db import migrations

from studies.database.schema import sql_file

UNDO = """
DROP FUNCTION concealed.store_concentrations(bigint, jsonb, bytea, jsonb);
DROP FUNCTION concealed.read_concentrations(bigint, timestamptz, text);
DROP FUNCTION concealed.laboratory_files(bigint);
DROP FUNCTION concealed.read_laboratory_file(bigint, text, text);
DROP TABLE concealed.concentration, concealed.laboratory_file;
"""


class Migration(migrations.Migration):
    """Drug levels, where the arms are. Their trail is their own: rows are only added, each names its file, who and when."""

    dependencies = [("outcomes", "0012_invitation_opened_up"), ("studies", "0011_record_answers")]
    operations = [sql_file("concentrations", role="concealer", undo=UNDO)]
