from django.db import migrations

from studies.database.schema import sql_file

# The triggers are laid anew after every migration (studies/database/grants.py).
_OLD = """
DROP TRIGGER IF EXISTS record_many ON outcomes_responseitem;
DROP TRIGGER IF EXISTS record_many ON outcomes_qsttrial;
SET ROLE recorder;
DROP FUNCTION IF EXISTS audit.record_many();
RESET ROLE;
"""


class Migration(migrations.Migration):
    """Answers are audited by a function for each kind in place of one that puts its statements together."""

    dependencies = [("studies", "0010_pinned_protocols")]
    operations = [sql_file("record_answers", role="recorder"), migrations.RunSQL(_OLD, migrations.RunSQL.noop)]
