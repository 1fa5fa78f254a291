"""The cases of mmrm.json as calls of our model, and terms as the reference program names them."""

import re
from functools import cache

from analysis.statistics import mmrm
from tests.analysis.statistics import trials
from tests.analysis.statistics.oracle import cases

CASES = cases("mmrm.json")
METHODS = {
    ("Satterthwaite", "Asymptotic"): "satterthwaite",
    ("Kenward-Roger", "Kenward-Roger-Linear"): "kenward_roger",
}
DATA = {
    "mmrm_fev_data.csv": trials.fev,
    "vickers2004_acupuncture_headache.csv": trials.vickers_long,
    "ashar2022_outcomes_demographics.csv": trials.ashar,
    "reframed.csv": trials.reframed,
}


def arguments(case):
    """The keyword arguments of `fit` for a case."""
    response, right = case["formula"].split(" ~ ")
    structure, visit, subject = re.search(r"(\w+)\((\w+) \| (\w+)\)", right).groups()
    terms = right.split(" + ")[:-1]
    arm = next(term for name in ("arm", "ARMCD", "grp") for term in [name] if f"{name} * {visit}" in right)
    covariates = [term for term in terms if "*" not in term]
    by_visit = [term.split(" * ")[0] for term in terms if "*" in term and not term.startswith(f"{arm} *")]
    return {
        "response": response, "subject": subject, "visit": visit, "arm": arm, "reference": case["reference_arm"],
        "covariates": covariates + by_visit, "covariates_by_visit": by_visit, "covariance": structure,
        "reml": case["reml"],
    }  # fmt: skip


@cache
def fitted(place, df):
    """The fit of a case, once for all tests."""
    case = CASES[place]
    return mmrm.fit(DATA[case["dataset"]](), df=df, **arguments(case))


def key(term):
    """A term's factors without brackets, in any order: the same for `arm[PRT]:visit[post]` and `visitpost:armPRT`."""
    plain = "(Intercept)" if term == "intercept" else term.replace("[", "").replace("]", "")
    return frozenset(plain.split(":"))
