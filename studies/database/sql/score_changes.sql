-- A score is computed, so its first value is no event of its own. That it changed is one (an answer was corrected, or
-- a rule of scoring was): of the response it belongs to, under the score's name, with both versions of the rule.
CREATE OR REPLACE FUNCTION audit.record_score() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
    reason text := nullif(btrim(current_setting('trialsite.reason', true), E' \t\r\n'), '');
    named text := 'score ' || OLD.name;
    was jsonb := jsonb_build_object(
        named, coalesce(to_jsonb(OLD.number), to_jsonb(OLD.text), to_jsonb(OLD.missing_reason)),
        'scoring version', OLD.scoring_version);
    is_now jsonb;
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
            named, coalesce(to_jsonb(NEW.number), to_jsonb(NEW.text), to_jsonb(NEW.missing_reason)),
            'scoring version', NEW.scoring_version);
        IF was = is_now THEN
            RETURN NULL;
        END IF;
        IF NEW.scoring_version = OLD.scoring_version THEN
            was := was - 'scoring version';
            is_now := is_now - 'scoring version';
        END IF;
    END IF;
    INSERT INTO audit.event (simulated_at, actor, reason, operation, kind, record, participant_id, old, new)
    VALUES (
        (SELECT nullif(current_setting('trialsite.entered_at', true), '')::timestamptz
          WHERE EXISTS (SELECT FROM public.studies_installation WHERE demonstration)),
        actor, reason, lower(TG_OP), 'response', OLD.response_id, OLD.participant_id, was, is_now
    );
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION audit.record_score() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.record_score() TO owner;
