-- Drug levels: a quantifiable value tells the arm, so they are kept where the arms are (docs/adr/0015).
-- How many rows a table has and how long they are is public. Every row has the same length whatever was measured, a file
-- always brings a multiple of 4,096 rows, fillers with the rest, and its bytes are padded by who stores them.

CREATE TABLE concealed.laboratory_file (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    study_id bigint NOT NULL,
    sha256 text NOT NULL,
    name text NOT NULL,
    laboratory text NOT NULL CHECK (btrim(laboratory) <> ''),
    batch text NOT NULL,
    columns jsonb NOT NULL,
    reason text NOT NULL,
    length integer NOT NULL CHECK (length > 0),
    content bytea NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_by text NOT NULL,
    UNIQUE (study_id, sha256),
    CONSTRAINT kept_as_it_came CHECK (sha256 = encode(sha256(substr(content, 1, length)), 'hex')),
    CONSTRAINT of_a_padded_size CHECK (octet_length(content) % 1048576 = 0 AND octet_length(content) >= length)
);
-- Compressed, the padding would be gone.
ALTER TABLE concealed.laboratory_file ALTER COLUMN content SET STORAGE EXTERNAL;

-- One analyte of one sample; `repeat` counts its values: 0 the first, 1 the first correction. Nothing is NULL: that would
-- shorten the row. A result below the limit of quantification is no number (NaN), and never 0.
CREATE TABLE concealed.concentration (
    file_id bigint NOT NULL REFERENCES concealed.laboratory_file,
    file_row integer NOT NULL,
    study_id bigint NOT NULL,
    participant_id bigint NOT NULL,
    nominal_minute integer NOT NULL CHECK (nominal_minute BETWEEN -1440 AND 43200),
    repeat integer NOT NULL CHECK (repeat >= 0),
    actual_minute double precision NOT NULL,
    value double precision NOT NULL,
    lloq double precision NOT NULL CHECK (lloq > 0 AND lloq < 'Infinity'),
    analyte character(20) NOT NULL
        CHECK (analyte IN ('ketamine', 'norketamine', 'dehydronorketamine', 'hydroxynorketamine')),
    unit character(5) NOT NULL CHECK (unit = 'ng/mL'),
    below_limit boolean NOT NULL,
    filler boolean NOT NULL,
    PRIMARY KEY (participant_id, analyte, nominal_minute, repeat),
    CONSTRAINT below_the_limit_is_no_number CHECK (below_limit = (value = 'NaN')),
    CONSTRAINT quantified_from_the_limit_on CHECK (below_limit OR (value >= lloq AND value < 'Infinity')),
    CONSTRAINT before_the_start_or_after_it CHECK (CASE WHEN nominal_minute <= 0
        THEN actual_minute BETWEEN -1440 AND 0 ELSE actual_minute > 0 AND actual_minute <= 50000 END),
    CONSTRAINT filler_of_nobody CHECK (filler = (participant_id < 0))
);

-- about: {sha256, name, laboratory, batch, columns, reason, length}; rows: JSON array of {row, participant, analyte,
-- nominal, actual, value (null below the limit), lloq, unit, repeat}. Whatever goes wrong tells no value.
CREATE FUNCTION concealed.store_concentrations(study bigint, about jsonb, content bytea, rows jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
    file bigint;
    stored integer;
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION 'Concentrations are stored by somebody.' USING ERRCODE = 'TS001';
    END IF;
    -- Two who take files at once: the second sees what the first one stored.
    LOCK TABLE concealed.laboratory_file IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM concealed.laboratory_file f WHERE f.study_id = study AND f.sha256 = about ->> 'sha256') THEN
        RAISE EXCEPTION 'This file has been taken before.' USING ERRCODE = 'TS012';
    END IF;
    BEGIN
        INSERT INTO concealed.laboratory_file
                (study_id, sha256, name, laboratory, batch, columns, reason, length, content, taken_by)
            VALUES (study, about ->> 'sha256', about ->> 'name', about ->> 'laboratory', about ->> 'batch',
                about -> 'columns', about ->> 'reason', (about ->> 'length')::integer, content, actor)
            RETURNING id INTO file;
        WITH sample AS (
            SELECT r.* FROM jsonb_to_recordset(rows) AS r("row" integer, participant bigint, analyte text,
                nominal integer, actual float8, value float8, lloq float8, unit text, repeat integer)
            JOIN public.studies_infusion i ON i.participant_id = r.participant
            JOIN public.studies_participant p ON p.id = r.participant AND p.study_id = study
        ), written AS (
            INSERT INTO concealed.concentration (file_id, file_row, study_id, participant_id, nominal_minute, repeat,
                    actual_minute, value, lloq, analyte, unit, below_limit, filler)
                SELECT each.* FROM (
                    SELECT file, s."row", study, s.participant, s.nominal, s.repeat, s.actual,
                        coalesce(s.value, 'NaN'), s.lloq, s.analyte, s.unit, s.value IS NULL, false
                    FROM sample s
                    UNION ALL
                    SELECT file, 0, study, -(file * 4096 + place), 0, 0, 0, 'NaN', 1, 'ketamine', 'ng/mL', true, true
                    FROM generate_series(1, (4096 - jsonb_array_length(rows) % 4096) % 4096
                        + CASE WHEN jsonb_array_length(rows) = 0 THEN 4096 ELSE 0 END) place
                ) each
                -- In no order: nothing is to be read off where the real ones stand.
                ORDER BY random()
                RETURNING filler
        )
        SELECT count(*) FILTER (WHERE NOT filler) INTO stored FROM written;
    EXCEPTION WHEN OTHERS THEN
        -- PostgreSQL's own text would quote the row.
        RAISE EXCEPTION 'The concentrations contradict the rules of their table or what is stored; nothing was stored.'
            USING ERRCODE = 'TS004';
    END;
    IF stored <> jsonb_array_length(rows) THEN
        RAISE EXCEPTION 'A sample is of somebody who has no infusion in this study.' USING ERRCODE = 'TS004';
    END IF;
    INSERT INTO concealed.event (actor, what, study_id)
        VALUES (actor, 'concentrations taken: file ' || (about ->> 'sha256'), study);
    RETURN stored;
END
$$;

-- Every sample's newest value that had come by a moment. Logged as a reading of arms, which it is.
CREATE FUNCTION concealed.read_concentrations(study bigint, until timestamptz, purpose text)
RETURNS TABLE (participant_id bigint, analyte text, nominal_minute integer, actual_minute float8, value float8,
    lloq float8, unit text, repeat integer, laboratory text, batch text, file_sha256 text, file_row integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM concealed.log_read(study, NULL, 'concentrations: ' || nullif(btrim(purpose), ''));
    RETURN QUERY SELECT DISTINCT ON (c.participant_id, c.analyte, c.nominal_minute)
            c.participant_id, c.analyte::text, c.nominal_minute, c.actual_minute,
            CASE WHEN NOT c.below_limit THEN c.value END, c.lloq, c.unit::text, c.repeat,
            f.laboratory, f.batch, f.sha256, c.file_row
        FROM concealed.concentration c JOIN concealed.laboratory_file f ON f.id = c.file_id
        WHERE c.study_id = study AND NOT c.filler AND f.taken_at <= until
        ORDER BY c.participant_id, c.analyte, c.nominal_minute, c.repeat DESC;
END
$$;

-- The files that were taken and how much of each was stored; no value.
CREATE FUNCTION concealed.laboratory_files(study bigint)
RETURNS TABLE (sha256 text, name text, laboratory text, batch text, reason text, taken_at timestamptz, taken_by text,
    samples bigint, corrections bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.sha256, f.name, f.laboratory, f.batch, f.reason, f.taken_at, f.taken_by,
        count(c.participant_id), count(c.participant_id) FILTER (WHERE c.repeat > 0)
    FROM concealed.laboratory_file f LEFT JOIN concealed.concentration c ON c.file_id = f.id AND NOT c.filler
    WHERE f.study_id = study GROUP BY f.id ORDER BY f.id DESC
$$;

-- A file as it came, or NULL. Logged.
CREATE FUNCTION concealed.read_laboratory_file(study bigint, sha256 text, purpose text) RETURNS bytea
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM concealed.log_read(study, NULL, 'concentrations: ' || nullif(btrim(purpose), ''));
    RETURN (SELECT substr(f.content, 1, f.length) FROM concealed.laboratory_file f
        WHERE f.study_id = study AND f.sha256 = read_laboratory_file.sha256);
END
$$;

REVOKE ALL ON FUNCTION concealed.store_concentrations(bigint, jsonb, bytea, jsonb),
    concealed.read_concentrations(bigint, timestamptz, text), concealed.laboratory_files(bigint),
    concealed.read_laboratory_file(bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION concealed.store_concentrations(bigint, jsonb, bytea, jsonb),
    concealed.read_concentrations(bigint, timestamptz, text), concealed.laboratory_files(bigint),
    concealed.read_laboratory_file(bigint, text, text) TO unblinded;
