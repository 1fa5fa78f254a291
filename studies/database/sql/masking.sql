-- Masked arms for a DSMB that looks half-blind: which label (A, B, ...) stands for which arm, drawn once a study.
-- Kept apart from every result, and read as arms are: by a function that logs who asked, and for what purpose.
-- The text of a mapping has the same length whatever was drawn.

CREATE TABLE concealed.masking (
    study_id bigint PRIMARY KEY,
    seed numeric(39) NOT NULL,
    labels jsonb NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    made_by text NOT NULL
);

CREATE TABLE concealed.masked_result (
    look_id bigint PRIMARY KEY,
    study_id bigint NOT NULL,
    number integer NOT NULL,
    result bytea NOT NULL,
    sha256 text NOT NULL,
    html bytea NOT NULL,
    pdf bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- labels: {arm: label}. The first mapping of a study stays; false if there was one.
CREATE FUNCTION concealed.store_masking(study bigint, seed numeric, labels jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION 'Arms are masked by somebody.' USING ERRCODE = 'TS001';
    END IF;
    INSERT INTO concealed.masking (study_id, seed, labels, made_by) VALUES (study, seed, labels, actor)
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO concealed.event (actor, what, study_id) VALUES (actor, 'arms masked', study);
    RETURN true;
END
$$;

-- NULL while the arms of the study are not masked.
CREATE FUNCTION concealed.read_masking(study bigint, purpose text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM concealed.log_read(study, NULL, 'masking: ' || nullif(btrim(purpose), ''));
    RETURN (SELECT m.labels FROM concealed.masking m WHERE m.study_id = study);
END
$$;

REVOKE ALL ON FUNCTION concealed.store_masking(bigint, numeric, jsonb), concealed.read_masking(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION concealed.store_masking(bigint, numeric, jsonb), concealed.read_masking(bigint, text) TO unblinded;
GRANT SELECT, INSERT ON concealed.masked_result TO unblinded;
