from django.db import migrations, models

# The meaning belongs to the signature: written once with it, and never changed.
KEEP = """
CREATE OR REPLACE FUNCTION public.keep_plan() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    signature text[] := ARRAY[{signature}];
    stamp text[] := ARRAY['changed_at', 'changed_by', 'changed_in', 'change_no'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'A frozen analysis plan is kept.' USING ERRCODE = 'TS004';
    END IF;
    IF OLD.signed_at IS NOT NULL
        OR to_jsonb(NEW) - signature - stamp IS DISTINCT FROM to_jsonb(OLD) - signature - stamp THEN
        RAISE EXCEPTION 'A frozen analysis plan does not change, nor does its signature. %',
            'Freeze a new version, with the reason.' USING ERRCODE = 'TS004';
    END IF;
    RETURN NEW;
END
$$;
"""
SIGNATURE = "'signed_by', 'signed_name', 'signed_at'"


class Migration(migrations.Migration):
    dependencies = [("analysis", "0005_masking")]
    operations = [
        migrations.AddField(
            model_name="plan",
            name="signed_meaning",
            field=models.CharField(blank=True, default="", help_text="What the signature stands for", max_length=300),
            preserve_default=False,
        ),
        migrations.RemoveConstraint(model_name="plan", name="plan_signature_is_whole"),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("signed_at__isnull", True), ("signed_by", ""), ("signed_meaning", ""), ("signed_name", "")
                )
                | (
                    models.Q(("signed_at__isnull", False))
                    & models.Q(("signed_by", ""), _negated=True)
                    & models.Q(("signed_name", ""), _negated=True)
                ),
                name="plan_signature_is_whole",
                violation_error_message="A signature says who signed and when.",
            ),
        ),
        migrations.RunSQL(KEEP.format(signature=f"{SIGNATURE}, 'signed_meaning'"), KEEP.format(signature=SIGNATURE)),
    ]
