-- Answers arrive many at a time: one event per form and statement, holding its answers (docs/adr/0003). One function for
-- each kind, its statements written out: put together anew, they are planned anew at each form, which takes twice as long.

CREATE OR REPLACE FUNCTION audit.record_responseitems() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION 'A write to % names no actor.', TG_TABLE_NAME
            USING ERRCODE = 'TS001', HINT = 'Write inside acting(user, reason).';
    END IF;
    -- The foreign key is checked at the end of the transaction only: an answer before its form would escape the trail.
    IF EXISTS (SELECT FROM entered n WHERE NOT EXISTS (SELECT FROM public.outcomes_response r WHERE r.id = n.response_id)) THEN
        RAISE EXCEPTION 'An answer in % comes before what it answers.', TG_TABLE_NAME
            USING ERRCODE = 'TS003', HINT = 'Enter the form first, then its answers.';
    END IF;
    INSERT INTO audit.event (simulated_at, actor, reason, operation, kind, record, participant_id, new)
    SELECT (SELECT nullif(current_setting('trialsite.entered_at', true), '')::timestamptz
             WHERE EXISTS (SELECT FROM public.studies_installation WHERE demonstration)),
           actor, coalesce(nullif(current_setting('trialsite.reason', true), ''), ''), 'insert', 'responseitem', r.id,
           r.participant_id,
           jsonb_object_agg(n.item,
                            coalesce(to_jsonb(n.value), to_jsonb(n.missing_reason)))
      FROM entered n JOIN public.outcomes_response r ON r.id = n.response_id
     GROUP BY r.id, r.participant_id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION audit.record_qsttrials() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION 'A write to % names no actor.', TG_TABLE_NAME
            USING ERRCODE = 'TS001', HINT = 'Write inside acting(user, reason).';
    END IF;
    -- The foreign key is checked at the end of the transaction only: an answer before its form would escape the trail.
    IF EXISTS (SELECT FROM entered n WHERE NOT EXISTS (SELECT FROM public.outcomes_qstsession s WHERE s.id = n.session_id)) THEN
        RAISE EXCEPTION 'An answer in % comes before what it answers.', TG_TABLE_NAME
            USING ERRCODE = 'TS003', HINT = 'Enter the form first, then its answers.';
    END IF;
    INSERT INTO audit.event (simulated_at, actor, reason, operation, kind, record, participant_id, new)
    SELECT (SELECT nullif(current_setting('trialsite.entered_at', true), '')::timestamptz
             WHERE EXISTS (SELECT FROM public.studies_installation WHERE demonstration)),
           actor, coalesce(nullif(current_setting('trialsite.reason', true), ''), ''), 'insert', 'qsttrial', s.id,
           s.participant_id,
           jsonb_object_agg(concat_ws(' ', n.area, n.parameter, nullif(n.direction, ''), n.trial),
                            coalesce(to_jsonb(n.value), to_jsonb(n.missing_reason)))
      FROM entered n JOIN public.outcomes_qstsession s ON s.id = n.session_id
     GROUP BY s.id, s.participant_id;
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION audit.record_responseitems(), audit.record_qsttrials() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.record_responseitems(), audit.record_qsttrials() TO owner;
