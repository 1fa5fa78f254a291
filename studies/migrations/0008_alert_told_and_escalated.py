from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("studies", "0007_closed_usernames")]
    operations = [
        migrations.AddField("safetyalert", "told_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("safetyalert", "told_to", models.JSONField(blank=True, default=list)),
        migrations.AddField("safetyalert", "escalated_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("safetyalert", "escalated_to", models.JSONField(blank=True, default=list)),
    ]
