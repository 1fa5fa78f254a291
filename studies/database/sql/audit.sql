-- The audit trail. Rows are written by triggers only; no role that can log in may write, change or delete them.
CREATE SEQUENCE audit.change_no;

CREATE TABLE audit.event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    simulated_at timestamptz,
    transaction bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    actor text NOT NULL,
    reason text NOT NULL,
    database_role text NOT NULL DEFAULT session_user,
    operation text NOT NULL CHECK (operation IN ('insert', 'update', 'delete')),
    kind text NOT NULL,
    record bigint NOT NULL,
    participant_id bigint,
    old jsonb,
    new jsonb
);
CREATE INDEX event_by_record ON audit.event (kind, record);
CREATE INDEX event_by_participant ON audit.event (participant_id) WHERE participant_id IS NOT NULL;

-- Every read of an arm, without the arm.
CREATE TABLE audit.arm_read (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    database_role text NOT NULL DEFAULT session_user,
    purpose text NOT NULL,
    study_id bigint NOT NULL,
    participant_id bigint
);

-- One row trigger for every record kind. TG_ARGV[0] is the kind.
CREATE OR REPLACE FUNCTION audit.record() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stamps constant text[] := ARRAY['entered_at', 'entered_by', 'changed_at', 'changed_by', 'changed_in', 'change_no', 'simulated'];
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
    reason text := nullif(btrim(current_setting('trialsite.reason', true), E' \t\r\n'), '');
    was jsonb;
    is_now jsonb;
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION 'A write to % names no actor.', TG_TABLE_NAME
            USING ERRCODE = 'TS001', HINT = 'Write inside acting(user, reason).';
    END IF;
    IF TG_OP <> 'INSERT' AND reason IS NULL THEN
        RAISE EXCEPTION 'A saved value of % cannot be changed or removed without a reason.', TG_TABLE_NAME
            USING ERRCODE = 'TS002', HINT = 'Give the reason for the change.';
    END IF;
    IF TG_OP = 'INSERT' THEN
        is_now := to_jsonb(NEW) - stamps - 'id';
    ELSIF TG_OP = 'DELETE' THEN
        was := to_jsonb(OLD) - stamps;
    ELSE
        SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, n.value)
          INTO was, is_now
          FROM jsonb_each(to_jsonb(OLD) - stamps) o
          JOIN jsonb_each(to_jsonb(NEW) - stamps) n ON n.key = o.key AND n.value IS DISTINCT FROM o.value;
        IF was IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    -- How to reach a person stays out of the trail, encrypted or not.
    IF is_now ? 'ciphertext' THEN
        is_now := is_now || '{"ciphertext": "(encrypted)"}';
    END IF;
    IF was ? 'ciphertext' THEN
        was := was || '{"ciphertext": "(encrypted)"}';
    END IF;
    INSERT INTO audit.event (simulated_at, actor, reason, operation, kind, record, participant_id, old, new)
    VALUES (
        (SELECT nullif(current_setting('trialsite.entered_at', true), '')::timestamptz
          WHERE EXISTS (SELECT FROM public.studies_installation WHERE demonstration)),
        actor, coalesce(reason, ''), lower(TG_OP), TG_ARGV[0],
        CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END,
        CASE WHEN TG_ARGV[0] = 'participant' THEN CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END
             WHEN TG_OP = 'DELETE' THEN (was ->> 'participant_id')::bigint
             ELSE (to_jsonb(NEW) ->> 'participant_id')::bigint END,
        was, is_now
    );
    RETURN NULL;
END
$$;

-- A changed or removed answer: an event of its parent too, under the name of the answer, so that one question
-- finds entry and changes alike. Value and missing-reason are the answer; other columns are named beside it.
-- TG_ARGV: kind of the parent, its table, the column that points to it, and what names the answer.
CREATE OR REPLACE FUNCTION audit.record_answer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stamps constant text[] := ARRAY['entered_at', 'entered_by', 'changed_at', 'changed_by', 'changed_in', 'change_no', 'simulated'];
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
    reason text := nullif(btrim(current_setting('trialsite.reason', true), E' \t\r\n'), '');
    answer text;
    parent bigint;
    participant bigint;
    was jsonb := to_jsonb(OLD) - stamps;
    is_now jsonb := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(NEW) - stamps END;
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION 'A write to % names no actor.', TG_TABLE_NAME
            USING ERRCODE = 'TS001', HINT = 'Write inside acting(user, reason).';
    END IF;
    IF reason IS NULL THEN
        RAISE EXCEPTION 'A saved value of % cannot be changed or removed without a reason.', TG_TABLE_NAME
            USING ERRCODE = 'TS002', HINT = 'Give the reason for the change.';
    END IF;
    IF was = is_now THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT %s, n.%I FROM (SELECT ($1).*) n', TG_ARGV[3], TG_ARGV[2]) INTO answer, parent USING OLD;
    EXECUTE format('SELECT participant_id FROM public.%I WHERE id = $1', TG_ARGV[1]) INTO participant USING parent;
    SELECT jsonb_object_agg(named, old_value), CASE WHEN TG_OP = 'UPDATE' THEN jsonb_object_agg(named, new_value) END
      INTO was, is_now
      FROM (SELECT answer AS named,
                   coalesce(nullif(was -> 'value', 'null'), was -> 'missing_reason') AS old_value,
                   coalesce(nullif(is_now -> 'value', 'null'), is_now -> 'missing_reason') AS new_value
            UNION ALL
            SELECT answer || ' ' || o.key, o.value, is_now -> o.key
              FROM jsonb_each(was - ARRAY['id', 'value', 'missing_reason']) o) changed
     WHERE TG_OP = 'DELETE' AND named = answer OR old_value IS DISTINCT FROM new_value AND TG_OP = 'UPDATE';
    INSERT INTO audit.event (simulated_at, actor, reason, operation, kind, record, participant_id, old, new)
    VALUES (
        (SELECT nullif(current_setting('trialsite.entered_at', true), '')::timestamptz
          WHERE EXISTS (SELECT FROM public.studies_installation WHERE demonstration)),
        actor, reason, lower(TG_OP), TG_ARGV[0], parent, participant, was, is_now
    );
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION audit.record(), audit.record_answer() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.record(), audit.record_answer() TO owner;
GRANT SELECT ON audit.event, audit.arm_read TO app, unblinded, auditor;
GRANT INSERT ON audit.arm_read TO concealer;
