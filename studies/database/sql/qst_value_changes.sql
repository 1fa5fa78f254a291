-- A QST value is computed, so its first value is no event of its own. That it changed is one (a reading was corrected, the
-- reference or a rule changed): of the session it belongs to, under its area and parameter, with both references and
-- versions of the rules.
CREATE OR REPLACE FUNCTION audit.record_qst_value() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
    reason text := nullif(btrim(current_setting('trialsite.reason', true), E' \t\r\n'), '');
    named text := 'value ' || OLD.area || ' ' || OLD.parameter;
    was jsonb := jsonb_build_object(
        named, coalesce(to_jsonb(OLD.value), to_jsonb(OLD.missing_reason)), named || ' z', to_jsonb(OLD.z),
        'reference', OLD.reference || ' ' || left(OLD.reference_sha256, 12), 'rules version', OLD.rules_version);
    is_now jsonb;
    same text;
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION 'A write to % names no actor.', TG_TABLE_NAME
            USING ERRCODE = 'TS001', HINT = 'Write inside acting(user, reason).';
    END IF;
    IF reason IS NULL THEN
        RAISE EXCEPTION 'A saved value of % cannot be changed or removed without a reason.', TG_TABLE_NAME
            USING ERRCODE = 'TS002', HINT = 'Give the reason for the change.';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        is_now := jsonb_build_object(
            named, coalesce(to_jsonb(NEW.value), to_jsonb(NEW.missing_reason)), named || ' z', to_jsonb(NEW.z),
            'reference', NEW.reference || ' ' || left(NEW.reference_sha256, 12), 'rules version', NEW.rules_version);
        IF was = is_now THEN
            RETURN NULL;
        END IF;
        FOR same IN SELECT key FROM jsonb_each(was) WHERE is_now -> key = value LOOP
            was := was - same;
            is_now := is_now - same;
        END LOOP;
    END IF;
    INSERT INTO audit.event (simulated_at, actor, reason, operation, kind, record, participant_id, old, new)
    VALUES (
        (SELECT nullif(current_setting('trialsite.entered_at', true), '')::timestamptz
          WHERE EXISTS (SELECT FROM public.studies_installation WHERE demonstration)),
        actor, reason, lower(TG_OP), 'qstsession', OLD.session_id, OLD.participant_id, was, is_now
    );
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION audit.record_qst_value() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.record_qst_value() TO owner;
