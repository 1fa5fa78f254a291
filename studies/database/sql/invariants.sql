-- What must always be so and no constraint can say: it needs another table, or the row as it was.

-- Only a finished trial that was imported knows of completed participations without knowing their last day.
CREATE FUNCTION public.completion_has_its_day() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.studies_study s WHERE s.id = NEW.study_id AND s.origin = 'imported') THEN
        RAISE EXCEPTION 'A participation that was completed has its last day.' USING ERRCODE = 'TS004';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER completion_has_its_day BEFORE INSERT OR UPDATE OF status, ended_on ON public.studies_participant
    FOR EACH ROW WHEN (NEW.status = 'completed' AND NEW.ended_on IS NULL)
    EXECUTE FUNCTION public.completion_has_its_day();

-- The user name is the signature under every record and event of the trail: it stays with its person.
-- A trigger rather than a grant by column: Django saves a changed password together with all other columns.
CREATE FUNCTION public.username_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'A user name is never changed: the trail names people by it. Make another account.'
        USING ERRCODE = 'TS003';
END
$$;
CREATE TRIGGER username_stays BEFORE UPDATE ON public.studies_user
    FOR EACH ROW WHEN (NEW.username IS DISTINCT FROM OLD.username OR NEW.id IS DISTINCT FROM OLD.id)
    EXECUTE FUNCTION public.username_stays();
