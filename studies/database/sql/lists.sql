-- Lists and arms come into the concealed schema, and with them the texts of the protocols that they are for.

-- The hash of each protocol text as it was when the arms came. `app` keeps the texts, so it could change them: what is
-- prepared and analysed goes by a text only as long as it is this one (studies/pinned_protocols.py).
CREATE TABLE concealed.protocol_pin (
    study_id bigint NOT NULL,
    version text NOT NULL,
    sha256 text NOT NULL,
    pinned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    pinned_by text NOT NULL,
    PRIMARY KEY (study_id, version)
);
GRANT SELECT ON concealed.protocol_pin TO unblinded;

-- Who acts on the arms of a study, written down, with the study's protocol texts pinned; the first text stays.
CREATE OR REPLACE FUNCTION concealed.begin_arms(study bigint, what text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION 'Lists and arms are stored by somebody.' USING ERRCODE = 'TS001';
    END IF;
    INSERT INTO concealed.protocol_pin (study_id, version, sha256, pinned_by)
        SELECT study, v.version, encode(sha256(convert_to(v.source, 'UTF8')), 'hex'), actor
        FROM public.studies_protocolversion v WHERE v.study_id = study ON CONFLICT DO NOTHING;
    INSERT INTO concealed.event (actor, what, study_id) VALUES (actor, what, study);
    RETURN actor;
END
$$;

-- A later version, from a file that the unblinded side holds itself. A pinned text is never replaced.
CREATE OR REPLACE FUNCTION concealed.pin_protocol(study bigint, version text, sha256 text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
    stored integer;
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION 'A protocol is pinned by somebody.' USING ERRCODE = 'TS001';
    END IF;
    IF EXISTS (SELECT FROM concealed.protocol_pin p WHERE p.study_id = study AND p.version = pin_protocol.version
            AND p.sha256 <> pin_protocol.sha256) THEN
        RAISE EXCEPTION 'Another text of this version has been pinned: give the file a new version number.'
            USING ERRCODE = 'TS012';
    END IF;
    INSERT INTO concealed.protocol_pin (study_id, version, sha256, pinned_by)
        VALUES (study, pin_protocol.version, pin_protocol.sha256, actor) ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS stored = ROW_COUNT;
    IF stored > 0 THEN
        INSERT INTO concealed.event (actor, what, study_id) VALUES (actor, 'protocol ' || version || ' pinned', study);
    END IF;
    RETURN stored;
END
$$;

-- rows: JSON array of {stratum, position, randomisation_number, kit_number, arm}. A stratum gets one list, once.
CREATE OR REPLACE FUNCTION concealed.store_list(study bigint, seed numeric, given boolean, rows jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := concealed.begin_arms(study, 'randomisation list generated');
    stored integer;
BEGIN
    IF given AND NOT EXISTS (SELECT FROM public.studies_installation WHERE demonstration) THEN
        RAISE EXCEPTION 'A seed may be given only in a demonstration.' USING ERRCODE = 'TS003';
    END IF;
    IF EXISTS (SELECT FROM concealed.list_seed l WHERE l.study_id = study) THEN
        RAISE EXCEPTION 'The study has its randomisation list already.' USING ERRCODE = 'TS012';
    END IF;
    INSERT INTO concealed.list_seed (study_id, seed, given, made_by) VALUES (study, seed, given, actor);
    INSERT INTO concealed.list (stratum_id, study_id, rows)
        SELECT s.id, study, count(*) FROM jsonb_to_recordset(rows) AS r(stratum text)
        JOIN public.studies_stratum s ON s.study_id = study AND s.code = r.stratum GROUP BY s.id;
    INSERT INTO concealed.list_row (study_id, stratum_id, position, randomisation_number, kit_number, arm)
        SELECT study, s.id, r.position, r.randomisation_number, r.kit_number, r.arm
        FROM jsonb_to_recordset(rows) AS r(stratum text, position integer, randomisation_number text, kit_number text, arm text)
        JOIN public.studies_stratum s ON s.study_id = study AND s.code = r.stratum
        -- In no order: the length of each record of the write-ahead log is public, and an arm's name has a length.
        ORDER BY random();
    GET DIAGNOSTICS stored = ROW_COUNT;
    IF stored <> jsonb_array_length(rows) THEN
        RAISE EXCEPTION 'The list names a stratum that the study does not have.' USING ERRCODE = 'TS003';
    END IF;
    RETURN stored;
END
$$;

-- Arms of a trial that was randomised elsewhere: rows {participant, arm, number}. Kit numbers are the trial's own or empty.
CREATE OR REPLACE FUNCTION concealed.import_arms(study bigint, rows jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := concealed.begin_arms(study, 'arms imported');
    stored integer;
BEGIN
    IF NOT EXISTS (SELECT FROM public.studies_study WHERE id = study AND origin = 'imported') THEN
        RAISE EXCEPTION 'Arms can be imported only into an imported study.' USING ERRCODE = 'TS003';
    END IF;
    INSERT INTO concealed.list_row (study_id, randomisation_number, kit_number, arm)
        SELECT study, r.number, r.number, r.arm
        FROM jsonb_to_recordset(rows) AS r(participant bigint, arm text, number text)
        JOIN public.studies_participant p ON p.id = r.participant AND p.study_id = study
        WHERE NOT EXISTS (SELECT FROM concealed.allocation a WHERE a.participant_id = r.participant)
        ORDER BY random();
    INSERT INTO concealed.allocation (participant_id, list_row_id)
        SELECT r.participant, l.id FROM jsonb_to_recordset(rows) AS r(participant bigint, arm text, number text)
        JOIN concealed.list_row l ON l.study_id = study AND l.randomisation_number = r.number
        ON CONFLICT (participant_id) DO NOTHING;
    GET DIAGNOSTICS stored = ROW_COUNT;
    INSERT INTO public.studies_allocation (participant_id, strata, randomisation_number, kit_number, allocated_at, allocated_by)
        SELECT p.id, '{}', l.randomisation_number, l.kit_number, clock_timestamp(), actor
        FROM concealed.allocation a JOIN concealed.list_row l ON l.id = a.list_row_id
        JOIN public.studies_participant p ON p.id = a.participant_id
        WHERE l.study_id = study ON CONFLICT (participant_id) DO NOTHING;
    RETURN stored;
END
$$;

REVOKE ALL ON FUNCTION concealed.begin_arms(bigint, text), concealed.pin_protocol(bigint, text, text),
    concealed.store_list(bigint, numeric, boolean, jsonb), concealed.import_arms(bigint, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION concealed.pin_protocol(bigint, text, text),
    concealed.store_list(bigint, numeric, boolean, jsonb), concealed.import_arms(bigint, jsonb) TO unblinded;

-- Arms that came before there were pins: the texts as they are now.
INSERT INTO concealed.protocol_pin (study_id, version, sha256, pinned_by)
    SELECT v.study_id, v.version, encode(sha256(convert_to(v.source, 'UTF8')), 'hex'), 'migration'
    FROM public.studies_protocolversion v
    WHERE v.study_id IN (SELECT r.study_id FROM concealed.list_row r) ON CONFLICT DO NOTHING;
