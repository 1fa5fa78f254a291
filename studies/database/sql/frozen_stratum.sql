-- The stratum stays as it was at randomisation; what it should have been is a correction beside it.
CREATE FUNCTION public.stratum_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM public.studies_allocation a WHERE a.participant_id = OLD.id) THEN
        RAISE EXCEPTION 'The stratum of a randomised participant stays as it was. Record a correction beside it.'
            USING ERRCODE = 'TS004';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER stratum_stays BEFORE UPDATE OF stratum_id ON public.studies_participant
    FOR EACH ROW WHEN (NEW.stratum_id IS DISTINCT FROM OLD.stratum_id) EXECUTE FUNCTION public.stratum_stays();
