from django.db import migrations

from studies.database.schema import sql_file

TRIGGER = """
CREATE TRIGGER record AFTER UPDATE OR DELETE ON outcomes_score
    FOR EACH ROW EXECUTE FUNCTION audit.record_score();
"""


class Migration(migrations.Migration):
    """Changed and removed scores are in the audit trail, beside the answers that they were computed from."""

    dependencies = [
        ('outcomes', '0008_response_circumstances'),
        ('studies', '0002_audit_trail'),
    ]

    operations = [
        sql_file('score_changes', role='recorder', undo='DROP FUNCTION audit.record_score()'),
        migrations.RunSQL(TRIGGER, 'DROP TRIGGER record ON outcomes_score'),
    ]
