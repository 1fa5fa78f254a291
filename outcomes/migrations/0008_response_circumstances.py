from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('outcomes', '0007_self_completion'),
    ]

    operations = [
        migrations.AddField(
            model_name='response',
            name='days_late',
            field=models.SmallIntegerField(blank=True, help_text='Begun days after the window of the visit, or the diary day, was over', null=True),
        ),
        migrations.AddField(
            model_name='response',
            name='language',
            field=models.CharField(blank=True, default='', help_text='Of the wording that was shown', max_length=20),
        ),
        migrations.AddField(
            model_name='response',
            name='proxy',
            field=models.CharField(blank=True, choices=[('partner', 'Partner'), ('relative', 'Relative'), ('carer', 'Carer'), ('other', 'Somebody else')], default='', help_text='Who answered instead', max_length=8, verbose_name='answered by proxy'),
        ),
        migrations.AddField(
            model_name='response',
            name='wording_version',
            field=models.CharField(blank=True, default='', help_text='Empty: numbers and neutral labels', max_length=20),
        ),
        migrations.AlterField(
            model_name='response',
            name='source',
            field=models.CharField(choices=[('staff', 'Entered by staff'), ('paper', 'Transcribed from paper'), ('participant', 'Self-completed'), ('device', 'Device'), ('import', 'Import')], max_length=11),
        ),
        migrations.AddConstraint(
            model_name='response',
            constraint=models.CheckConstraint(condition=models.Q(('days_late__isnull', True), ('days_late__gte', 1), _connector='OR'), name='response_late_by_a_day_or_more'),
        ),
        migrations.AddConstraint(
            model_name='response',
            constraint=models.CheckConstraint(condition=models.Q(('proxy', ''), models.Q(('respondent__in', ['', 'participant']), ('status__in', ['complete', 'partial']), models.Q(('source', 'participant'), _negated=True)), _connector='OR'), name='response_by_proxy_stands_for_the_participant', violation_error_message="A proxy answers a participant's form, on the site's own page or on paper."),
        ),
        migrations.AddConstraint(
            model_name='response',
            constraint=models.CheckConstraint(condition=models.Q(('wording_version', ''), models.Q(('language', ''), _negated=True), _connector='OR'), name='response_wording_has_its_language'),
        ),
    ]
