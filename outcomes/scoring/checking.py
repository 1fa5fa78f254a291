"""Checking an instrument file as its author does: the schema, then every worked example."""

from __future__ import annotations

import math
from collections.abc import Iterator

from outcomes.scoring.instrument import Example, Instrument, read_instrument
from outcomes.scoring.outputs import ScoreValue
from outcomes.scoring.scorer import Scorer
from studies.protocol.yaml_document import DocumentInvalid, Mistake, locate

# Examples are written with the digits that a person writes; a third is 0.3333.
TOLERANCE = 1e-4


def check_instrument(text: str, *, source: str) -> Instrument:
    """Read an instrument file and score its worked examples.

    text: the file's content; source: its name, for messages. Returns the instrument. Raises DocumentInvalid with the
    path and line of every mistake of the file, or of every score and alert that comes out otherwise than it says.
    """
    instrument = read_instrument(text, source=source)
    mistakes = list(mistakes_of_examples(instrument))
    if mistakes:
        raise DocumentInvalid(source, locate(text, mistakes, source=source))
    return instrument


def mistakes_of_examples(instrument: Instrument) -> Iterator[Mistake]:
    """What the worked examples say and the rules do not give."""
    scorer = Scorer(instrument)
    for place, example in enumerate(instrument.examples):
        yield from _mistakes_of_example(scorer, example, place)


def _mistakes_of_example(scorer: Scorer, example: Example, place: int) -> Iterator[Mistake]:
    scores = scorer.score(example.items)
    raised = scorer.alarms(example.items, example.earlier)
    for name, expected in example.scores.items():
        given = scores.values[name]
        if not _alike(given, expected):
            said = f"The rules give {_shown(given)}, the example says {_shown(expected)}. One of the two is wrong."
            yield Mistake(("examples", place, "scores", name), said)
    if raised != list(example.alerts):
        given_alerts = ", ".join(raised) or "none"
        said = f"The rules raise the alerts {given_alerts}; the example says {', '.join(example.alerts) or 'none'}."
        yield Mistake(("examples", place, "alerts"), said)


def _alike(given: ScoreValue, expected: ScoreValue) -> bool:
    if _is_number(given) and _is_number(expected):
        return math.isclose(float(given), float(expected), rel_tol=0, abs_tol=TOLERANCE)  # type: ignore[arg-type]
    return type(given) is type(expected) and given == expected


def _is_number(value: ScoreValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: ScoreValue) -> str:
    return f"{value:.10g}" if isinstance(value, float) else "nothing" if value is None else str(value)
