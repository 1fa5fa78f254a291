from django.db import migrations

from studies.database.schema import sql_file

UNDO = """
DROP FUNCTION concealed.read_masking(bigint, text);
DROP FUNCTION concealed.store_masking(bigint, numeric, jsonb);
DROP TABLE concealed.masked_result, concealed.masking;
"""


class Migration(migrations.Migration):
    dependencies = [("analysis", "0004_plan_signature"), ("studies", "0003_concealed")]
    operations = [sql_file("masking", role="concealer", undo=UNDO)]
