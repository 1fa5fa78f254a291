-- The only ways to the arms: functions of `concealer`, each with a fixed search_path, for `unblinded` alone.
-- A read is logged in the trail, and in the server's log as well, where a roll-back cannot take it away.

CREATE OR REPLACE FUNCTION concealed.log_read(study bigint, participant bigint, purpose text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
BEGIN
    IF actor IS NULL OR coalesce(purpose, '') = '' THEN
        RAISE EXCEPTION 'An arm is read only by somebody, for a purpose.' USING ERRCODE = 'TS001';
    END IF;
    INSERT INTO audit.arm_read (actor, purpose, study_id, participant_id) VALUES (actor, purpose, study, participant);
    RAISE LOG 'arm read: actor %, study %, participant %, purpose %', actor, study, coalesce(participant::text, 'all'), purpose;
END
$$;

CREATE OR REPLACE FUNCTION concealed.read_arms(study bigint, purpose text)
RETURNS TABLE (participant_id bigint, arm text, randomisation_number text, kit_number text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM concealed.log_read(study, NULL, purpose);
    RETURN QUERY SELECT a.participant_id, r.arm, r.randomisation_number, r.kit_number
        FROM concealed.allocation a JOIN concealed.list_row r ON r.id = a.list_row_id
        WHERE r.study_id = study ORDER BY a.participant_id;
END
$$;

CREATE OR REPLACE FUNCTION concealed.read_arm(participant bigint, purpose text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    study bigint;
BEGIN
    SELECT r.study_id INTO study FROM concealed.allocation a JOIN concealed.list_row r ON r.id = a.list_row_id
        WHERE a.participant_id = participant;
    IF study IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM concealed.log_read(study, participant, purpose);
    RETURN (SELECT r.arm FROM concealed.allocation a JOIN concealed.list_row r ON r.id = a.list_row_id
        WHERE a.participant_id = participant);
END
$$;

REVOKE ALL ON FUNCTION concealed.log_read(bigint, bigint, text), concealed.read_arms(bigint, text),
    concealed.read_arm(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION concealed.read_arms(bigint, text), concealed.read_arm(bigint, text) TO unblinded;
