"""The KALM schedule and instruments for tests: item numbers, ranges and dimensions, no wording.

The reference rows are SYNTH-1, synthetic and obviously round; one row serves every sex and age here.
"""

from datetime import date

from analysis.simulation.design import (
    Instrument,
    Item,
    PlannedForm,
    PlannedVisit,
    QstNorm,
    Site,
    TrialDesign,
)


def graded(key, count, low, high, dimension, *, reverse=(), source="participant", rules=""):
    items = (Item(str(n), low, high, dimension, reverse=n in reverse) for n in range(1, count + 1))
    return Instrument(key, tuple(items), source, rules)


def named(key, ranges, dimension, *, reverse=(), source="participant"):
    items = (Item(name, low, high, dimension, reverse=name in reverse) for name, (low, high) in ranges.items())
    return Instrument(key, tuple(items), source)


PANAS_POSITIVE = (1, 3, 5, 9, 10, 12, 14, 16, 17, 19)
BPI = ["3", "4", "5", "6", "9a", "9b", "9c", "9d", "9e", "9f", "9g"]
CSSRS = {f"i{n}": (0, 1) for n in range(1, 6)}
CSSRS |= {f"n_{n}": (1, 5) for n in ("frequency", "duration", "control", "deterrents", "reasons")}
CSSRS |= {f"b_{n}": (0, 1) for n in ("actual", "interrupted", "aborted", "preparatory")}
EQ5D = dict.fromkeys(("MO", "SC", "UA", "PD", "AD"), (1, 5)) | {"vas": (0, 100)}
PAINDETECT = {str(n): (0, 5) for n in range(1, 8)} | {"pattern": (1, 4), "radiating": (0, 1)}
PROMIS = {str(n): (1, 5) for n in range(1, 29)} | {"29": (0, 10)}
PROMIS_UP = tuple(str(n) for n in (1, 2, 3, 4, 21, 22, 23, 24))

INSTRUMENTS = [
    named("bpi_sf", dict.fromkeys(BPI, (0, 10)), "S"),
    graded("sf_mpq_2", 22, 0, 10, "S"),
    graded("sf_mpq_2_24h", 22, 0, 10, "S", rules="sf_mpq_2"),
    named("promis29_v21", PROMIS, "F", reverse=PROMIS_UP),
    graded("pcs", 13, 0, 4, "C"),
    graded("pseq", 10, 0, 6, "C", reverse=range(1, 11)),
    graded("tsk11", 11, 1, 4, "C"),
    graded("madrs", 10, 0, 6, "M", source="staff"),
    graded("phq9", 9, 0, 3, "M"),
    graded("gad7", 7, 0, 3, "M"),
    graded("panas", 20, 1, 5, "A", reverse=PANAS_POSITIVE),
    graded("isi", 7, 0, 4, "F"),
    named("cssrs", CSSRS, "X", source="staff"),
    graded("cadss23", 23, 0, 4, "X", source="staff"),
    named("bprs_positive", dict.fromkeys(("4", "11", "12", "15"), (1, 7)), "X", source="staff"),
    graded("icsi", 4, 0, 5, "X"),
    graded("sets", 6, 1, 7, "C"),
    graded("pgic", 1, 1, 7, "F"),
    named("eq5d5l", EQ5D, "F", reverse=("vas",)),
    named("paindetect", PAINDETECT, "S"),
    graded("dn4", 10, 0, 1, "S", source="staff"),
    graded("csi", 25, 0, 4, "F"),
]

LATE = ("pgic", "eq5d5l")
MOOD = ("madrs", "phq9", "gad7", "panas", "isi", "cssrs")
BODY = ("bpi_sf", "sf_mpq_2", "promis29_v21")
THOUGHT = ("pcs", "pseq", "tsk11")


def forms(*names):
    return tuple(PlannedForm(name) for name in names)


def infusion_forms():
    timed = {
        "panas": (-15, 240),
        "cadss23": (-15, 40, 90, 120, 240),
        "bprs_positive": (-15, 40, 90, 120, 240),
    }
    due = [PlannedForm(name, minute) for name, minutes in timed.items() for minute in minutes]
    return (*due, PlannedForm("cssrs", 240))


VISITS = (
    PlannedVisit(
        "SCR", -28, -28, -8, forms("paindetect", "dn4", "csi", "madrs", "phq9", "cssrs", "icsi"),
        vitals=True, labs=True,
    ),
    PlannedVisit("BL", -7, -7, -1, forms(*BODY, *THOUGHT, *MOOD, "sets", "eq5d5l"), qst=True),
    PlannedVisit("D0", 0, 0, 0, infusion_forms()),
    PlannedVisit(
        "D1", 1, 1, 1, forms("sf_mpq_2_24h", "pcs", "madrs", "panas", "cssrs", "cadss23", "bprs_positive"),
        qst=True, vitals=True, labs=True,
    ),
    PlannedVisit("W1", 7, 6, 8, forms(*BODY, "pcs", *MOOD, "pgic"), qst=True, labs=True),
    PlannedVisit("W2", 14, 12, 16, forms(*BODY, *MOOD, "pgic")),
    PlannedVisit("W4", 28, 25, 31, forms(*BODY, *THOUGHT, *MOOD, "icsi", *LATE), qst=True, labs=True),
    PlannedVisit("W8", 56, 51, 61, forms(*BODY, "phq9", "cssrs", *LATE)),
    PlannedVisit("W12", 84, 77, 91, forms(*BODY, *THOUGHT, *MOOD, "icsi", *LATE), qst=True, labs=True),
)  # fmt: skip

SYNTH_1 = {
    "CDT": ("log10", 0.10, 0.20, -1),
    "WDT": ("log10", 0.30, 0.20, -1),
    "TSL": ("log10", 0.50, 0.20, -1),
    "CPT": ("raw", 12.0, 8.0, 1),
    "HPT": ("raw", 44.0, 3.0, -1),
    "MDT": ("log10", 0.30, 0.35, -1),
    "MPT": ("log10", 1.90, 0.40, -1),
    "MPS": ("log10", -0.10, 0.40, 1),
    "WUR": ("log10", 0.35, 0.18, 1),
    "VDT": ("raw", 7.5, 0.6, 1),
    "PPT": ("log10", 2.60, 0.12, -1),
}


def norms():
    return tuple(
        QstNorm(parameter, "hand", sex, 18, 75, scale, mean, sd, sign)
        for parameter, (scale, mean, sd, sign) in SYNTH_1.items()
        for sex in ("F", "M")
    )


def kalm_design() -> TrialDesign:
    return TrialDesign(
        start=date(2025, 1, 13),
        sites=tuple(Site(f"{n:02d}", "Europe/Berlin") for n in range(1, 7)),
        visits=VISITS,
        instruments={instrument.id: instrument for instrument in INSTRUMENTS},
        qst_norms=norms(),
    )
