from django.db import migrations, models

from studies.database.schema import sql_file

TRIGGER = """
CREATE TRIGGER record AFTER UPDATE OR DELETE ON outcomes_qstvalue
    FOR EACH ROW EXECUTE FUNCTION audit.record_qst_value();
"""


class Migration(migrations.Migration):
    """Values say by which rules they were computed, and their changes are in the trail; devices can be corrected."""

    dependencies = [
        ('outcomes', '0014_answers_of_imported_studies'),
        ('studies', '0002_audit_trail'),
    ]

    operations = [
        migrations.AddField(
            model_name='qstvalue',
            name='rules_version',
            field=models.CharField(default='1', help_text='Of the rules it was computed by', max_length=20),
        ),
        migrations.AddField(
            model_name='deviceuse',
            name='standing',
            field=models.BooleanField(default=True),
        ),
        sql_file('qst_value_changes', role='recorder', undo='DROP FUNCTION audit.record_qst_value()'),
        migrations.RunSQL(TRIGGER, 'DROP TRIGGER record ON outcomes_qstvalue'),
    ]
