-- Who entered a row when, who changed it last, in which transaction, and its number in it.
-- In a database created as a demonstration a simulation may give the time of entry; the row then says so.
CREATE OR REPLACE FUNCTION audit.stamp() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    actor text := nullif(btrim(current_setting('trialsite.actor', true), E' \t\r\n'), '');
    given timestamptz := nullif(current_setting('trialsite.entered_at', true), '')::timestamptz;
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION 'A write to % names no actor.', TG_TABLE_NAME
            USING ERRCODE = 'TS001', HINT = 'Write inside acting(user, reason).';
    END IF;
    IF given IS NOT NULL AND NOT EXISTS (SELECT FROM public.studies_installation WHERE demonstration) THEN
        given := NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        NEW.entered_at := OLD.entered_at;
        NEW.entered_by := OLD.entered_by;
        NEW.simulated := OLD.simulated;
        NEW.changed_at := OLD.changed_at;
        NEW.changed_by := OLD.changed_by;
        NEW.changed_in := OLD.changed_in;
        NEW.change_no := OLD.change_no;
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    ELSE
        NEW.entered_at := coalesce(given, clock_timestamp());
        NEW.entered_by := actor;
        NEW.simulated := given IS NOT NULL;
    END IF;
    NEW.changed_at := coalesce(given, clock_timestamp());
    NEW.changed_by := actor;
    NEW.changed_in := pg_current_xact_id()::text::bigint;
    NEW.change_no := nextval('audit.change_no');
    RETURN NEW;
END
$$;

REVOKE ALL ON FUNCTION audit.stamp() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.stamp() TO owner;
