"""What is followed over time: clinical pain, each dimension of pain, mood, and the sensory testing beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from outcomes.change import Scale
from outcomes.scoring import Instrument, load_instrument
from outcomes.scoring.instrument import ImportantDifference
from studies.models import ProtocolVersion
from studies.protocol import ProtocolDefinition, cached_definition

Dimension = Literal["S", "A", "C", "M", "Q"]
DIMENSIONS: dict[Dimension, str] = {
    "S": "sensory-discriminative",
    "A": "affective-motivational",
    "C": "cognitive-evaluative",
    "M": "mood",
    "Q": "sensory testing",
}
Source = tuple[str, str]  # instrument, score
QST: Source = ("qst", "composite")


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of a course: a score, and others that stand for it at some times (another recall, a single rating)."""

    key: str
    dimension: Dimension
    label: str
    sources: tuple[Source, ...]

    @property
    def source(self) -> Source:
        """The score that names the measure: its scale and important difference are the measure's."""
        return self.sources[0]


# Per measure the scores in order of preference: a study is followed by the first that its protocol collects.
_CHOICES: tuple[tuple[Measure, ...], ...] = (
    (
        Measure("pain", "S", "Average pain", (("diary_daily", "average"), ("nrs_avg24", "value"))),
        Measure("pain", "S", "Average pain", (("nrs_avg_week", "value"),)),
        Measure("pain", "S", "Average pain", (("nrs_avg24", "value"),)),
        Measure("pain", "S", "Headache severity", (("headache_diary_4w", "severity"),)),
    ),
    (Measure("severity", "S", "Pain severity (BPI)", (("bpi_sf", "severity"),)),),
    (
        Measure(
            "affective",
            "A",
            "Affective pain (SF-MPQ-2)",
            (("sf_mpq_2", "affective"), ("sf_mpq_2_24h", "affective")),
        ),
        Measure("affective", "A", "Pain and emotion (SOPA)", (("sopa_emotion", "total"),)),
        Measure("affective", "A", "Negative affect (PANAS)", (("panas_sf", "negative"),)),
    ),
    (
        Measure("cognitive", "C", "Catastrophising (PCS)", (("pcs", "total"),)),
        Measure("cognitive", "C", "Fear of movement (TSK-11)", (("tsk11", "total"),)),
    ),
    (
        Measure("mood", "M", "Mood (MADRS)", (("madrs", "total"),)),
        Measure("mood", "M", "Mood (HAM-D)", (("hamd17", "total"),)),
        Measure("mood", "M", "Depression (PHQ-9)", (("phq9", "total"),)),
        Measure("mood", "M", "Depression (BDI-II)", (("bdi2", "total"),)),
        Measure("mood", "M", "Depression (PROMIS)", (("promis_depression", "total"),)),
    ),
    (Measure("qst", "Q", "QST composite", (QST,)),),
)


def measures_of(version: ProtocolVersion) -> tuple[Measure, ...]:
    """What is followed in a study, by what its protocol collects, in the order in which it is shown."""
    return _measures(version.source)


@lru_cache(maxsize=16)
def _measures(source: str) -> tuple[Measure, ...]:
    collected = _collected(cached_definition(source))
    chosen = (next((m for m in choices if m.source[0] in collected), None) for choices in _CHOICES)
    return tuple(measure for measure in chosen if measure is not None)


def _collected(definition: ProtocolDefinition) -> frozenset[str]:
    assessed = {due.key for visit in definition.visits for due in definition.due_assessments(visit.id)}
    return frozenset(assessed | ({definition.diary.instrument} if definition.diary else set()))


def scale_of(measure: Measure) -> Scale:
    """How the change of a measure is judged: direction, zero and important difference of its first score.

    The QST composite is a mean of z-scores: higher is more sensitive, zero is no end of it.
    """
    if measure.source == QST:
        return Scale("worse")
    return scale_of_score(*measure.source)


def scale_of_score(key: str, name: str) -> Scale:
    """How the change of a score is judged, by its instrument's file. Raises UnknownInstrument, KeyError."""
    instrument = load_instrument(key)
    score = instrument.scores[name]
    begins_at_zero = score.range is not None and score.range[0] == 0
    return Scale(score.higher_is or instrument.higher_is, begins_at_zero, _important(instrument, name))


def _important(instrument: Instrument, score: str) -> ImportantDifference | None:
    """The smallest difference that the instrument's file states for a score: minimal before moderate, points first."""
    stated = [each for each in instrument.important_differences if each.score == score]
    return min(stated, key=lambda each: (each.meaning != "minimal", each.unit != "points"), default=None)
