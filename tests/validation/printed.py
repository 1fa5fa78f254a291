"""What two papers print, and what their published rows give."""

from dataclasses import dataclass

import pandas as pd

from analysis.statistics import ancova
from tests.analysis.statistics import trials
from tests.validation.oracles import ashar

ASHAR, VICKERS = "Ashar 2022", "Vickers 2004"
_ARMS = {"PRT": "PRT", "placebo": "placebo", "usual_care": "usual care"}


@dataclass(frozen=True)
class Figure:
    """One printed figure: as printed, as the rows give it to the same digits, and why they differ where they do."""

    trial: str
    name: str
    printed: str
    found: str
    why: str = ""

    @property
    def same(self) -> bool:
        """Whether both are the same to the last digit printed."""
        return self.printed == self.found


def figures() -> list[Figure]:
    """Every printed figure, in the order of the papers."""
    return [*_ashar(), *_vickers()]


def _ashar() -> list[Figure]:
    rows, found = trials.ashar(), []
    counts = ashar.responder_counts()
    for arm, printed in (("PRT", "50"), ("placebo", "51"), ("usual_care", "50")):
        found.append(Figure(ASHAR, f"randomised, {_ARMS[arm]}", printed, str(counts[arm][1])))
    screening = "the paper averages two screening sessions; the file holds the second alone."
    for arm, printed in (("PRT", "4.22"), ("placebo", "4.16"), ("usual_care", "3.91")):
        mean = _pain(rows, arm, "baseline").mean()
        found.append(Figure(ASHAR, f"pain before treatment, {_ARMS[arm]}", printed, f"{mean:.2f}", screening))
    for arm, printed in (("PRT", "1.18 (1.24)"), ("placebo", "2.84 (1.64)"), ("usual_care", "3.13 (1.45)")):
        pain = _pain(rows, arm, "post")
        found.append(
            Figure(ASHAR, f"pain after treatment, {_ARMS[arm]}", printed, f"{pain.mean():.2f} ({pain.std():.2f})")
        )
    for arm, printed in (("PRT", "33/50 (66%)"), ("placebo", "10/51 (20%)"), ("usual_care", "5/50 (10%)")):
        count, n = counts[arm]
        found.append(
            Figure(ASHAR, f"pain-free or nearly so, {_ARMS[arm]}", printed, f"{count}/{n} ({100 * count / n:.0f}%)")
        )
    return [*found, *_ashar_models(), *_ashar_sizes()]


def _pain(rows: pd.DataFrame, arm: str, visit: str) -> pd.Series:
    return rows.loc[(rows["arm"] == arm) & (rows["visit"] == visit), "pain_avg"]


def _ashar_models() -> list[Figure]:
    found = []
    other = "the printed t and df come out exactly with 2.37, so the printed reduction is not of the same model."
    for arm, reduction, t, df in (("placebo", "1.79", "6.06", "137.63"), ("usual_care", "2.40", "8.13", "135.69")):
        table = ashar.fitted(arm).coefficients.set_index("term")
        row = table.loc["arm[PRT]:visit[post]"]
        label = f"PRT against {_ARMS[arm]}"
        found.append(Figure(ASHAR, f"{label}: more reduction", reduction, f"{-row['estimate']:.2f}", other))
        found.append(Figure(ASHAR, f"{label}: t", t, f"{-row['t']:.2f}"))
        found.append(Figure(ASHAR, f"{label}: df", df, f"{row['df']:.2f}"))
    return found


def _ashar_sizes() -> list[Figure]:
    found = []
    for arm, printed in (("placebo", "-1.14"), ("usual_care", "-1.74")):
        post, change = (ashar.effect_size(arm, kind)[0].hedges_g.estimate for kind in ("post", "change"))
        d = ashar.effect_size(arm, "post")[0].cohen_d.estimate
        why = (
            f"after treatment Hedges' g is {post:.2f} (Cohen's d {d:.2f}), in change {change:.2f}; which definition "
            "the paper used cannot be told from it."
        )
        found.append(Figure(ASHAR, f"PRT against {_ARMS[arm]}: Hedges' g", printed, f"{post:.2f}", why))
    return found


def _vickers() -> list[Figure]:
    rows = trials.vickers()
    sizes = rows["arm"].value_counts()
    found = [
        Figure(VICKERS, "randomised to acupuncture", "205", str(sizes["acupuncture"])),
        Figure(VICKERS, "randomised to control", "196", str(sizes["control"])),
    ]
    known = rows[rows["pk5"].notna()]
    for arm, count, printed, less in (
        ("acupuncture", "161", "16.2 (13.7)", "34%"),
        ("control", "140", "22.3 (17.0)", "16%"),
    ):
        mine = known[known["arm"] == arm]
        start, end = mine["pk1"].mean(), mine["pk5"]
        found.append(Figure(VICKERS, f"known at 12 months, {arm}", count, str(len(mine))))
        found.append(
            Figure(VICKERS, f"headache score at 12 months, {arm}", printed, f"{end.mean():.1f} ({end.std():.1f})")
        )
        found.append(
            Figure(VICKERS, f"reduction from baseline, {arm}", less, f"{100 * (start - end.mean()) / start:.0f}%")
        )
    covariates = ["pk1", "age", "sex", "migraine", "chronicity"]
    fit = ancova.fit(rows, response="pk5", arm="arm", reference="control", covariates=covariates)
    row = fit.contrasts().iloc[0]
    why = (
        "the paper adjusts for the size of practices as well, which is not among the columns of the file; R on the "
        "same file gives ours (`ancova.json`, an-p002)."
    )
    return [
        *found,
        Figure(VICKERS, "less headache at 12 months, adjusted", "4.6", f"{-row['estimate']:.1f}", why),
        Figure(VICKERS, "its 95 % interval", "2.2 to 7.0", f"{-row['upper']:.1f} to {-row['lower']:.1f}", why),
        Figure(VICKERS, "its p", "0.0002", f"{row['p']:.4f}", why),
    ]
