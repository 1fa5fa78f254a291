import django.db.models.deletion
from django.db import migrations, models

from studies.database.schema import sql_file

UNDO = """
DROP TABLE concealed.recommendation;
ALTER TABLE concealed.account DROP CONSTRAINT account_role_check;
ALTER TABLE concealed.account ADD CONSTRAINT account_role_check
    CHECK (role IN ('pharmacist', 'unblinded_statistician', 'dsmb_member'));
"""
SAYS = [
    ("continue", "Continue as planned"),
    ("modify", "Continue with changes, which the DSMB writes to the sponsor"),
    ("stop", "Stop the trial; the DSMB writes to the sponsor"),
]


class Migration(migrations.Migration):
    dependencies = [("analysis", "0006_signature_meaning"), ("studies", "0011_record_answers")]
    operations = [
        migrations.CreateModel(
            name="Recommendation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("entered_at", models.DateTimeField(blank=True, editable=False)),
                ("entered_by", models.CharField(blank=True, editable=False, max_length=150)),
                ("changed_at", models.DateTimeField(blank=True, editable=False)),
                ("changed_by", models.CharField(blank=True, editable=False, max_length=150)),
                ("changed_in", models.BigIntegerField(blank=True, editable=False)),
                ("change_no", models.BigIntegerField(blank=True, editable=False)),
                ("simulated", models.BooleanField(default=False, editable=False)),
                ("says", models.CharField(choices=SAYS, max_length=8)),
                (
                    "look",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="recommendation", to="analysis.look"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("says__in", ["continue", "modify", "stop"])),
                        name="recommendation_is_one_of_three",
                        violation_error_message="A recommendation is continue, modify or stop.",
                    ),
                ],
            },
        ),
        sql_file("recommendations", role="concealer", undo=UNDO),
    ]
