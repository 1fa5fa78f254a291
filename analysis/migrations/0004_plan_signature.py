from django.db import migrations, models

# The last word on a plan's text and signature is the database's: neither changes, whoever asks.
KEEP = """
ALTER TABLE analysis_plan ADD CONSTRAINT plan_hash_is_of_its_text
    CHECK (sha256 = encode(sha256(convert_to(source, 'UTF8')), 'hex'));
CREATE FUNCTION public.keep_plan() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    signature text[] := ARRAY['signed_by', 'signed_name', 'signed_at'];
    stamp text[] := ARRAY['changed_at', 'changed_by', 'changed_in', 'change_no'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'A frozen analysis plan is kept.' USING ERRCODE = 'TS004';
    END IF;
    IF OLD.signed_at IS NOT NULL OR to_jsonb(NEW) - signature - stamp IS DISTINCT FROM to_jsonb(OLD) - signature - stamp THEN
        RAISE EXCEPTION 'A frozen analysis plan does not change, nor does its signature. Freeze a new version, with the reason.'
            USING ERRCODE = 'TS004';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON analysis_plan FOR EACH ROW EXECUTE FUNCTION public.keep_plan();
"""
UNDO = """
DROP TRIGGER keep ON analysis_plan;
DROP FUNCTION public.keep_plan();
ALTER TABLE analysis_plan DROP CONSTRAINT plan_hash_is_of_its_text;
"""


class Migration(migrations.Migration):
    dependencies = [("analysis", "0003_design_simulation")]
    operations = [
        migrations.AddField(
            model_name="plan",
            name="change_reason",
            field=models.TextField(blank=True, default="", help_text="Why it differs from the version before"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="plan",
            name="signed_by",
            field=models.CharField(blank=True, default="", max_length=150),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="plan",
            name="signed_name",
            field=models.CharField(blank=True, default="", max_length=300),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="plan",
            name="signed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(("signed_at__isnull", True), ("signed_by", ""), ("signed_name", ""))
                | (
                    models.Q(("signed_at__isnull", False))
                    & models.Q(("signed_by", ""), _negated=True)
                    & models.Q(("signed_name", ""), _negated=True)
                ),
                name="plan_signature_is_whole",
                violation_error_message="A signature says who signed and when.",
            ),
        ),
        migrations.RunSQL(KEEP, UNDO),
    ]
