"""What is filled in at one visit: questionnaires and QST sessions, by the staff of one site."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from .answers import Moment, answer, leave_out
from .appointments import Desk
from .design import PlannedForm, PlannedVisit, TrialDesign
from .draws import FloatArray
from .parameters import Parameters
from .people import Person
from .records import FormRecord, QstSession
from .sensory import conditioned, session_trials
from .streams import Stream, stream


@dataclass(frozen=True, slots=True)
class Setting:
    """One simulated trial: its seed, its design and the numbers of its scenario."""

    seed: int
    design: TrialDesign
    parameters: Parameters


class Clinic:
    """Fills in the forms of one participant in one phase of the trial.

    items, qst, entry: the streams of answers, sensory tests and data entry; no two phases share one, so
    the second does not depend on how much the first has drawn.
    """

    def __init__(self, setting: Setting, person: Person, *, items: Stream, qst: Stream, entry: Stream) -> None:
        self._design, self._parameters, self._person = setting.design, setting.parameters, person
        self._items = stream(setting.seed, items, person.index)
        self._qst = stream(setting.seed, qst, person.index)
        self._desk = Desk(stream(setting.seed, entry, person.index), setting.parameters.conduct)

    def fill(self, visit: PlannedVisit, form: PlannedForm, moment: Moment, at: datetime) -> FormRecord:
        """One questionnaire at one time.

        At screening nothing is left out, nor what staff ask at baseline: eligibility rests on it.
        """
        instrument = self._design.instruments[form.instrument]
        values = answer(instrument, moment, self._items, self._parameters)
        kept, missing = leave_out(values, self._items, self._parameters)
        asked_by_staff = visit.id == self._design.baseline and instrument.source == "staff"
        if visit.id == self._design.screening or asked_by_staff:
            kept, missing = values, {}
        return FormRecord(
            visit=visit.id,
            instrument=form.instrument,
            minute=form.minute,
            values=kept,
            missing=missing,
            source=instrument.source,
            completed_at=at,
            entered_at=self._desk.entered(at),
        )

    def fill_all(self, visit: PlannedVisit, moment: Moment, at: datetime) -> list[FormRecord]:
        """All questionnaires of a visit, one after the other."""
        return [
            self.fill(visit, form, moment, at + timedelta(minutes=10 + 4 * k)) for k, form in enumerate(visit.forms)
        ]

    def sense(self, visit: PlannedVisit, z: FloatArray, at: datetime) -> Iterator[QstSession]:
        """The two QST sessions of a visit: first the control area, across the body, then the painful one.

        z (4,): the latent state. Gives nothing at a visit without QST. Raises LookupError if the
        reference table does not cover the person.
        """
        if not visit.qst:
            return
        skin, room = self._qst.standard_normal(2)
        entered_at = self._desk.entered(at + timedelta(minutes=75))
        for control in (True, False):
            warmth = (float(skin), float(room))
            yield self._session(visit, z, at, control=control, warmth=warmth, entered_at=entered_at)

    def _session(
        self,
        visit: PlannedVisit,
        z: FloatArray,
        at: datetime,
        *,
        control: bool,
        warmth: tuple[float, float],
        entered_at: datetime,
    ) -> QstSession:
        person, design, law = self._person, self._design, self._parameters.qst
        norms = design.norms(person.sex, person.age)
        value, trials = session_trials(z, norms, person.stratum, self._qst, law, control=control)
        return QstSession(
            visit=visit.id,
            area=design.qst_area,
            side=person.other_side if control else person.painful_side,
            role="control" if control else "test",
            trials=trials,
            skin_celsius=round(float(np.clip(32.4 + 0.8 * warmth[0], 28.5, 35.5)), 1),
            room_celsius=round(float(np.clip(22 + 0.6 * warmth[1], 20.2, 23.8)), 1),
            examiner=f"QST-{design.sites[person.site].code}",
            started_at=at + timedelta(minutes=30 if control else 52),
            entered_at=entered_at,
            cpm=None if control else conditioned(value["PPT"], self._qst, law),
        )
