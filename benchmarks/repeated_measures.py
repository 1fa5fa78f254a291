"""The mixed model for repeated measures: against R's nlme::gls and statsmodels' MixedLM, alone, and how it grows.

gls fits the same model (its log-likelihood is compared); MixedLM only with one variance and one correlation. R's mmrm
cannot be installed from Debian: its times are quoted from two cores like these.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.statistics import mmrm
from analysis.statistics.columns import numbers
from analysis.statistics.mmrm.design import Columns, build
from analysis.statistics.mmrm.fits import starting_values
from analysis.statistics.mmrm.likelihood import Model
from analysis.statistics.mmrm.optimiser import Covariances
from analysis.statistics.mmrm.patterns import summarise
from analysis.statistics.mmrm.structures import structure
from benchmarks.measuring import Line, apart, best, timed

SIZES = ((200, 5), (500, 8))
LARGE = (2000, 10)
GROWTH = (200, 2_000, 20_000)
# R's mmrm 0.3.18 on two cores like these, seconds; goals in times faster.
QUOTED = {"satterthwaite": (2.3, 20), "kenward_roger": (28.0, 100)}
_GLS = """
ok <- requireNamespace("nlme", quietly = TRUE)
if (!ok) quit(status = 3)
suppressMessages(library(nlme))
d <- read.csv(commandArgs(trailingOnly = TRUE)[1])
d$visit <- factor(d$visit)
d$arm <- relevel(factor(d$arm), ref = "control")
d$place <- as.integer(d$visit)
seconds <- system.time(fit <- gls(value ~ baseline + arm * visit, data = d, method = "REML",
  correlation = corSymm(form = ~ place | subject), weights = varIdent(form = ~ 1 | visit)))[["elapsed"]]
cat(sprintf("%.6f %.10f\\n", seconds, as.numeric(logLik(fit))))
"""


def measure() -> Iterator[Line]:
    """Beside its peers, then alone, then one iteration at three sizes."""
    for subjects, visits in SIZES:
        yield _beside_gls(subjects, visits)
        yield _beside_mixedlm(subjects, visits)
    subjects, visits = LARGE
    for df, (quoted, goal) in QUOTED.items():
        took = apart("benchmarks.repeated_measures:fit_of", rounds=6, subjects=subjects, visits=visits, df=df)
        yield Line(
            f"MMRM of {subjects:,} x {visits}, unstructured, {df}, contrasts",
            # Seconds of processor: the peer's time is quoted, and was not taken beside whoever else is here now.
            took.processor,
            "R's mmrm 0.3.18 (quoted)",
            quoted,
            faster_goal=goal,
            memory_mb=took.mb,
            memory_limit_mb=300,
        )
    for subjects in GROWTH:
        yield _iteration(subjects)


def fit_of(subjects: int, visits: int, df: str, covariance: str = "us") -> Callable[[], object]:
    """The fit that is timed, with its contrasts."""
    frame = trial(subjects, visits)
    return lambda: _fit(frame, df=df, covariance=covariance).contrasts()


def trial(subjects: int, visits: int, *, gaps: float = 0.0) -> pd.DataFrame:
    """Two arms, a baseline, correlations .7^lag; a third leave before the end. gaps: visits missed on the way."""
    rng = np.random.default_rng(1)
    lag = np.abs(np.subtract.outer(np.arange(visits), np.arange(visits)))
    values = rng.multivariate_normal(np.zeros(visits), 0.7**lag, size=subjects)
    baseline, active = rng.normal(size=subjects), np.arange(subjects) % 2
    values += baseline[:, None] * 0.5 - active[:, None] * 0.3
    last = rng.integers(3, visits + 20, size=subjects)
    subject, visit = np.meshgrid(np.arange(subjects), np.arange(visits), indexing="ij")
    frame = pd.DataFrame(
        {
            "subject": subject.ravel(),
            "visit": [f"v{v:02d}" for v in visit.ravel()],
            "value": values.ravel(),
            "arm": np.where(active, "active", "control")[subject.ravel()],
            "baseline": baseline[subject.ravel()],
        }
    )
    there = (visit < last[:, None]) & (rng.random(visit.shape) >= gaps)
    return frame[there.ravel()]


def _fit(frame: pd.DataFrame, *, df: str, covariance: str = "us") -> mmrm.Fit:
    return mmrm.fit(
        frame,
        response="value",
        subject="subject",
        visit="visit",
        arm="arm",
        reference="control",
        covariates=("baseline",),
        covariance=covariance,
        df=df,
    )


def _beside_gls(subjects: int, visits: int) -> Line:
    frame = trial(subjects, visits)
    ours = best(lambda: _fit(frame, df="kenward_roger").contrasts(), rounds=5)
    found = _gls(frame)
    name = f"MMRM of {subjects} x {visits}, unstructured, Kenward-Roger, contrasts"
    if isinstance(found, str):
        return Line(name, ours, told=found)
    theirs, likelihood = found
    _require_same(name, _fit(frame, df="residual").log_likelihood, likelihood)
    return Line(name, ours, "nlme::gls", theirs, faster_goal=500 if (subjects, visits) == SIZES[-1] else None)


def _gls(frame: pd.DataFrame) -> tuple[float, float] | str:
    """Seconds and log-likelihood of nlme::gls, without R's start; or why there are none."""
    program = shutil.which("Rscript")
    if program is None:
        return "SKIPPED nlme::gls: there is no R here (Debian: r-base-core and r-cran-nlme)"
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "trial.csv", Path(folder) / "gls.R"
        frame.to_csv(data, index=False)
        script.write_text(_GLS)
        done = subprocess.run((program, str(script), str(data)), capture_output=True, text=True, check=False)
    if done.returncode:
        return "SKIPPED nlme::gls: R has no nlme (Debian: r-cran-nlme)"
    seconds, likelihood = map(float, done.stdout.split())
    return seconds, likelihood


def _beside_mixedlm(subjects: int, visits: int) -> Line:
    from statsmodels.regression.mixed_linear_model import MixedLM  # noqa: PLC0415 - only the peer needs it

    frame = trial(subjects, visits)
    ours = best(lambda: _fit(frame, df="residual", covariance="cs").contrasts(), rounds=5)
    formula = "value ~ baseline + C(arm, Treatment('control')) * visit"
    fitted = [None]

    def theirs() -> None:
        fitted[0] = MixedLM.from_formula(formula, groups="subject", data=frame).fit(reml=True)

    seconds = best(theirs, rounds=2)
    name = f"MMRM of {subjects} x {visits}, compound symmetry, contrasts"
    _require_same(name, _fit(frame, df="residual", covariance="cs").log_likelihood, fitted[0].llf)
    return Line(name, ours, "statsmodels MixedLM", seconds)


def _require_same(name: str, ours: float, theirs: float) -> None:
    if abs(ours - theirs) > 1e-4:
        raise RuntimeError(f"{name}: log-likelihood {ours:.6f}, the peer's {theirs:.6f}: not the same model.")


def _iteration(subjects: int, visits: int = 8) -> Line:
    """One Newton step, at the start: from patterns to the next covariance."""
    frame = trial(subjects, visits, gaps=0.1)
    numbers(frame["value"], "value")
    design = build(frame, Columns("value", "subject", "visit", "arm", ("baseline",), ()), "control", group_by_arm=False)
    patterns = summarise(design.subjects)
    covariances = Covariances("us", structure("us", visits), 1)
    model = Model(patterns, design.expand, True)
    start = starting_values(patterns, covariances)

    def step() -> None:
        state = model.at(covariances.sigma(start))
        covariances.step(start, state)

    whole = timed(lambda: _fit(frame, df="residual"))
    return Line(
        f"one iteration, {subjects:,} x {visits}, a tenth missing",
        best(step, rounds=20),
        told=f"{len(patterns.count)} patterns of visits; the whole fit {1000 * whole:.0f} ms",
    )
