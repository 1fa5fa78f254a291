-- What participants entered themselves is never edited: a correction of it is refused to every role that logs in.
-- What was clarified stands beside it, as a record of its own (docs/adr/0010).

-- On the form. TG_OP is UPDATE or DELETE.
CREATE OR REPLACE FUNCTION audit.keep_own_response() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF OLD.source = 'participant' OR (TG_OP = 'UPDATE' AND NEW.source = 'participant') THEN
        RAISE EXCEPTION 'A participant''s own answers are not changed: write a clarification beside them.'
            USING ERRCODE = 'TS005';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;

-- On each answer of a form.
CREATE OR REPLACE FUNCTION audit.keep_own_item() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM public.outcomes_response r
                WHERE r.id = OLD.response_id AND r.source = 'participant') THEN
        RAISE EXCEPTION 'A participant''s own answers are not changed: write a clarification beside them.'
            USING ERRCODE = 'TS005';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;

-- An answer that is added later is a correction too: they arrive in the transaction that enters the form.
CREATE OR REPLACE FUNCTION audit.keep_own_items_complete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM entered n JOIN public.outcomes_response r ON r.id = n.response_id
                WHERE r.source = 'participant' AND r.changed_in <> pg_current_xact_id()::text::bigint) THEN
        RAISE EXCEPTION 'A participant''s own answers are not changed: write a clarification beside them.'
            USING ERRCODE = 'TS005';
    END IF;
    RETURN NULL;
END
$$;

-- The log of answers as they came only grows.
CREATE OR REPLACE FUNCTION audit.only_grows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'What a participant sent is kept as it came.' USING ERRCODE = 'TS005';
END
$$;

REVOKE ALL ON FUNCTION audit.keep_own_response(), audit.keep_own_item(), audit.keep_own_items_complete(),
    audit.only_grows() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.keep_own_response(), audit.keep_own_item(), audit.keep_own_items_complete(),
    audit.only_grows() TO owner;
