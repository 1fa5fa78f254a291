from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("outcomes", "0011_qst_of_one_participant")]
    operations = [
        migrations.AddField(
            "invitation",
            "opened_up_at",
            models.DateTimeField(blank=True, help_text="When a link or code to it was last made", null=True),
        ),
    ]
