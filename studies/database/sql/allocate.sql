-- Allocation: the next row of the stratum's list goes to the participant. Answers the two numbers, never the arm.
--
-- * The list of the stratum is locked before its next row is read: two coordinators may press in the same second.
--   Not SKIP LOCKED: it would hand out row 8 while 7 can still be rolled back.
-- * The arm never enters a variable or a column that moves: the allocation points to its list row. A plan printed
--   with a variable in it, or an error that prints a failing row, would tell the arm; the settings below and the
--   fixed error text see to the rest.
CREATE OR REPLACE FUNCTION public.allocate(participant bigint, OUT randomisation_number text, OUT kit_number text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
SET debug_print_plan = off
SET debug_print_parse = off
SET debug_print_rewritten = off
AS $$
DECLARE
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
    person public.studies_participant%ROWTYPE;
    next_row bigint;
    -- A simulation may say when it happened, in a demonstration only.
    moment timestamptz := coalesce(
        (SELECT nullif(current_setting('trialsite.entered_at', true), '')::timestamptz
          WHERE EXISTS (SELECT FROM public.studies_installation WHERE demonstration)),
        clock_timestamp());
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION 'A participant is randomised by somebody.' USING ERRCODE = 'TS001';
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'Allocation needs a READ COMMITTED transaction.' USING ERRCODE = 'TS010';
    END IF;
    SELECT p.* INTO person FROM public.studies_participant p WHERE p.id = participant FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such participant.' USING ERRCODE = 'TS011';
    END IF;
    IF EXISTS (SELECT FROM concealed.allocation a WHERE a.participant_id = participant) THEN
        RAISE EXCEPTION 'The participant is already randomised.' USING ERRCODE = 'TS012';
    END IF;
    IF NOT EXISTS (SELECT FROM public.studies_consent c WHERE c.participant_id = participant
            AND c.signed_at <= clock_timestamp() AND c.withdrawn_at IS NULL) THEN
        RAISE EXCEPTION 'The participant has no signed consent in force.' USING ERRCODE = 'TS013';
    END IF;
    IF NOT EXISTS (SELECT FROM public.studies_eligibilitydecision d WHERE d.participant_id = participant AND d.included) THEN
        RAISE EXCEPTION 'The participant has not been found eligible.' USING ERRCODE = 'TS014';
    END IF;
    IF person.status <> 'screening' THEN
        RAISE EXCEPTION 'Only a participant in screening can be randomised.' USING ERRCODE = 'TS014';
    END IF;
    PERFORM FROM concealed.list l WHERE l.stratum_id = person.stratum_id AND l.study_id = person.study_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no randomisation list for the participant''s stratum.' USING ERRCODE = 'TS015';
    END IF;
    SELECT r.id INTO next_row FROM concealed.list_row r
        WHERE r.stratum_id = person.stratum_id
          AND NOT EXISTS (SELECT FROM concealed.allocation a WHERE a.list_row_id = r.id)
        ORDER BY r.position LIMIT 1;
    IF next_row IS NULL THEN
        RAISE EXCEPTION 'The randomisation list of this stratum is used up.' USING ERRCODE = 'TS016';
    END IF;
    INSERT INTO concealed.allocation (participant_id, list_row_id) VALUES (participant, next_row);
    INSERT INTO public.studies_allocation
        (participant_id, stratum_id, strata, randomisation_number, kit_number, allocated_at, allocated_by)
        SELECT participant, s.id, s.levels, r.randomisation_number, r.kit_number, moment, actor
        FROM concealed.list_row r JOIN public.studies_stratum s ON s.id = r.stratum_id WHERE r.id = next_row;
    UPDATE public.studies_participant SET status = 'randomised' WHERE id = participant;
    SELECT r.randomisation_number, r.kit_number INTO allocate.randomisation_number, allocate.kit_number
        FROM concealed.list_row r WHERE r.id = next_row;
EXCEPTION
    WHEN SQLSTATE 'TS001' OR SQLSTATE 'TS002' OR SQLSTATE 'TS010' OR SQLSTATE 'TS011' OR SQLSTATE 'TS012'
        OR SQLSTATE 'TS013' OR SQLSTATE 'TS014' OR SQLSTATE 'TS015' OR SQLSTATE 'TS016' THEN
        RAISE;
    WHEN OTHERS THEN
        -- A fixed text: PostgreSQL's own would quote the row that failed.
        RAISE EXCEPTION 'The participant could not be randomised.' USING ERRCODE = 'TS019';
END
$$;

REVOKE ALL ON FUNCTION public.allocate(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.allocate(bigint) TO app;
