"""Answers that call for a person, on whatever part of a form was answered."""

from __future__ import annotations

from collections.abc import Mapping

from outcomes.scoring.instrument import Alert, Instrument


def alarms(instrument: Instrument, answers: Mapping[str, float | None]) -> list[str]:
    """The codes of the alerts that answers raise, in the order of the instrument's file.

    answers: the code printed on the form per item, already known to be allowed; None or absent where open.
    """
    return [alert.code for alert in instrument.alerts if _rings(alert, instrument, answers)]


def _rings(alert: Alert, instrument: Instrument, answers: Mapping[str, float | None]) -> bool:
    if alert.any_missing and not any(instrument.is_open(name, answers) for name in alert.any_missing):
        return False
    if not all(_at_most(answers.get(name), code) for name, code in alert.all_at_most.items()):
        return False
    if not alert.any_at_least:
        return True
    return any(_at_least(answers.get(name), code) for name, code in alert.any_at_least.items())


def _at_least(answer: float | None, code: float) -> bool:
    return answer is not None and answer >= code


def _at_most(answer: float | None, code: float) -> bool:
    return answer is not None and answer <= code
