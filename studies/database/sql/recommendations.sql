-- What the DSMB recommends after a look: recorded by its chair with the grounds, which stay here. What the open side
-- may know is one of three words in public.analysis_recommendation, written when the chair releases it.

ALTER TABLE concealed.account DROP CONSTRAINT account_role_check;
ALTER TABLE concealed.account ADD CONSTRAINT account_role_check
    CHECK (role IN ('pharmacist', 'unblinded_statistician', 'dsmb_member', 'dsmb_chair'));

CREATE TABLE concealed.recommendation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    look_id bigint NOT NULL,
    study_id bigint NOT NULL,
    number integer NOT NULL,
    says text NOT NULL CHECK (says IN ('continue', 'modify', 'stop')),
    grounds text NOT NULL CHECK (btrim(grounds) <> ''),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    recorded_by text NOT NULL,
    recorded_name text NOT NULL
);

GRANT SELECT, INSERT ON concealed.recommendation TO unblinded;
