"""Answers that call for a person, on whatever part of a form was answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from outcomes.scoring.instrument import Alert, Change, Instrument


def _unknown(_: Change) -> bool:
    """Nothing is known of an earlier form."""
    return False


def alarms(
    instrument: Instrument, answers: Mapping[str, float | None], *, changed: Callable[[Change], bool] = _unknown
) -> list[str]:
    """The codes of the alerts that answers raise, each once, in the order of the instrument's file.

    answers: the code printed on the form per item, already known to be allowed; None or absent where open.
    changed: whether a change from an earlier form is certain (`Scorer.alarms`); by default nothing earlier is known.
    """
    codes = (alert.code for alert in instrument.alerts if _rings(alert, instrument, answers, changed))
    return list(dict.fromkeys(codes))


def _rings(
    alert: Alert, instrument: Instrument, answers: Mapping[str, float | None], changed: Callable[[Change], bool]
) -> bool:
    if alert.any_missing and not any(instrument.is_open(name, answers) for name in alert.any_missing):
        return False
    if not all(_at_most(answers.get(name), code) for name, code in alert.all_at_most.items()):
        return False
    if alert.any_at_least and not any(_at_least(answers.get(name), code) for name, code in alert.any_at_least.items()):
        return False
    return alert.change is None or changed(alert.change)


def _at_least(answer: float | None, code: float) -> bool:
    return answer is not None and answer >= code


def _at_most(answer: float | None, code: float) -> bool:
    return answer is not None and answer <= code
