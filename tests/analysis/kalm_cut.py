"""A KALM trial of simulated rows, small and fast, written as a cut folder with its restricted part and its arms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pandas as pd

from analysis.canonical import canonical_json
from studies.protocol import ProtocolDefinition, load
from tests.analysis.cut_folders import write_cut, write_restricted

PROTOCOLS = Path(__file__).parents[2] / "studies" / "protocols"
KALM = (PROTOCOLS / "kalm-1.0.yaml").read_text()
TERMS = {"Nausea": (0.28, 0.08), "Dizziness": (0.35, 0.15), "drowsiness": (0.25, 0.45), "Headache": (0.15, 0.12)}
INSTRUMENTS = ("diary_daily", "sf_mpq_2", "sf_mpq_2_24h", "bpi_sf", "madrs", "pcs", "cadss23", "treatment_guess")


def plan_of(text: str = KALM) -> dict[str, Any]:
    """The plan as it is frozen for looks (analysis/plans.py)."""
    analysis = load(text, source="test").analysis.model_dump(mode="json")
    plan: dict[str, Any] = orjson.loads(canonical_json(analysis))
    return plan


def quick_plan(text: str = KALM) -> dict[str, Any]:
    """The same with two sensitivity analyses of few imputations, for tests that look at something else."""
    plan = plan_of(text)
    plan["sensitivity"] = [each for each in plan["sensitivity"] if each["id"] in ("jump_to_reference", "tipping_point")]
    for rule in plan["sensitivity"]:
        rule["imputations"] = 2
        rule["deltas"] = rule["deltas"] and {"start": 0, "to": 3, "step": 3}
    return plan


@dataclass
class KalmTrial:
    """Rows by kind, the arm-revealing ones apart, and the arms; change them before `write`."""

    rows: dict[str, list[dict[str, Any]]]
    restricted: dict[str, list[dict[str, Any]]]
    arms: pd.Series[Any]

    def write(self, folder: Path, *, name: str = "KALM-cut-1") -> tuple[Path, Path]:
        protocol = load(KALM, source="test")
        return (
            write_cut(folder / name, self.rows, protocol),
            write_restricted(folder / f"{name}.restricted", self.restricted, protocol),
        )


def kalm_trial(
    n: int = 80, *, seed: int = 1, effect: float = 0.5, first_key: int = 1, start: date = date(2025, 11, 10)
) -> KalmTrial:
    """n randomised and n/8 failed at screening, one a day and a half from `start`; pain falls `effect` more under KET.

    first_key: where database keys begin, which must make no difference to any result.
    """
    return _Maker(n, seed, effect, first_key, start).make()


class _Maker:
    def __init__(self, n: int, seed: int, effect: float, first_key: int, start: date) -> None:
        self.n, self.effect, self.start = n, effect, start
        self.rng = np.random.default_rng(seed)
        # What was added later is drawn apart, so that what was there before stays as it was.
        self.later = np.random.default_rng(seed + 1_000_000)
        self.protocol: ProtocolDefinition = load(KALM, source="test")
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.restricted: dict[str, list[dict[str, Any]]] = {}
        self.first_key = first_key
        self.next_key = first_key
        self.sites = [site.code for site in self.protocol.sites]

    def make(self) -> KalmTrial:
        self._study()
        arms = {}
        for number in range(self.n + self.n // 8):
            key = self._participant(number, failed=number % 9 == 8)
            if number % 9 != 8:
                arms[key] = "KET" if self.rng.random() < 0.5 else "MDZ"
                self._course(key, number, arms[key])
        return KalmTrial(self.rows, self.restricted, pd.Series(arms, name="arm"))

    def _add(self, kind: str, /, *, revealing: bool = False, **values: Any) -> int:
        self.next_key += 1
        where = self.restricted if revealing else self.rows
        where.setdefault(kind, []).append({"id": self.next_key, **values})
        return self.next_key

    def _study(self) -> None:
        self._add("protocolversion", version="1.0", source=KALM)
        self.site_keys = {
            site.code: self._add(
                "site",
                code=site.code,
                name=site.name,
                time_zone=site.time_zone,
                planned_participants=site.planned_participants,
            )
            for site in self.protocol.sites
        }
        self.instruments = {
            key: self._add("instrumentversion", key=key, name=key, version="1.0", arm_revealing=key == "cadss23")
            for key in INSTRUMENTS
        }

    def _day0(self, number: int) -> date:
        return self.start + timedelta(days=int(number * 1.5))

    def _participant(self, number: int, *, failed: bool) -> int:
        site = self.sites[int(self.rng.choice(6, p=[0.25, 0.2, 0.2, 0.15, 0.1, 0.1]))]
        self.site, self.zone = site, ZoneInfo(self.protocol.site(site).time_zone)
        day0 = self._day0(number)
        key = self._add(
            "participant",
            identifier=f"KALM-{number + 1:04d}",
            site_id=self.site_keys[site],
            status="screen_failure" if failed else "randomised",
            sex="F" if self.rng.random() < 0.6 else "M",
            age_years=int(np.clip(self.rng.normal(50, 13), 18, 75)),
            planned_infusion_on=day0,
        )
        signed = self._at(day0 - timedelta(days=20), 9)
        self._add("consent", participant_id=key, version="1.0", signed_at=signed)
        self._add(
            "eligibilitydecision",
            participant_id=key,
            included=not failed,
            decided_at=signed + timedelta(days=14),
            failed_criteria='["I3","E10"]' if failed else "[]",
        )
        return key

    def _at(self, day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), self.zone).astimezone(UTC)

    def _course(self, key: int, number: int, arm: str) -> None:
        day0 = self._day0(number)
        stratum = str(self.rng.choice(["NEURO", "NPL", "NOCI"]))
        kit = f"K{number:05d}"
        self._add(
            "allocation",
            participant_id=key,
            strata=f'{{"site": "{self.site}", "pain_stratum": "{stratum}"}}',
            kit_number=kit,
            allocated_at=self._at(day0, 8),
        )
        last = int(self.rng.choice([90, 40, 18], p=[0.86, 0.08, 0.06]))
        if last < 90:
            self.rows["participant"][-1] |= {
                "status": "withdrawn",
                "ended_on": day0 + timedelta(days=last),
                "end_reason": "Lack of efficacy",
            }
        self._infusion(key, day0, kit, arm)
        base, slope = self.rng.normal(6.5, 1.2), self.rng.normal(1.6, 0.9)
        slope += self.effect * (arm == "KET")
        self._diary(key, day0, last, base, slope)
        self._visits(key, day0, last, base, slope)
        self._harms(key, day0, arm)
        self._dimensions(key, last, base, arm)
        self._guesses(key, day0, arm)

    def _infusion(self, key: int, day0: date, kit: str, arm: str) -> None:
        infusion = self._add(
            "infusion",
            participant_id=key,
            kit_number=kit,
            started_at=self._at(day0, 10),
            delivered_percent=100 if self.rng.random() < 0.95 else 60,
        )
        for minute, share in ((-15, 0.0), (40, 1.0), (240, 0.04)):
            total = round(float(self.rng.gamma(1.5, 12 if arm == "KET" else 2.5)) * share)
            response = self._add(
                "response",
                revealing=True,
                participant_id=key,
                minute=minute,
                instrument_id=self.instruments["cadss23"],
                status="complete",
                completed_at=self._at(day0, 11),
            )
            self._add("score", revealing=True, response_id=response, participant_id=key, name="total", number=total)
            for parameter, mean in (("sbp", 128 + 15 * share), ("spo2", 98)):
                value = round(self.rng.normal(mean, 4 if parameter == "sbp" else 0.7))
                self._add(
                    "reading",
                    revealing=True,
                    participant_id=key,
                    infusion_id=infusion,
                    minute=minute,
                    parameter=parameter,
                    value=value,
                )
        if arm == "KET" and self.rng.random() < 0.1:
            self._add("safetyevent", revealing=True, participant_id=key, rule="S01", action="HOLD", minute=30)

    def _diary(self, key: int, day0: date, last: int, base: float, slope: float) -> None:
        for day in [*range(-7, 36), *range(49, 56), *range(77, 84)]:
            if day > last or self.rng.random() < 0.1:
                continue
            level = base - slope * (1 - np.exp(-max(day, 0) / 5)) + self.rng.normal(0, 0.8)
            response = self._add(
                "response",
                participant_id=key,
                day=day0 + timedelta(days=day),
                instrument_id=self.instruments["diary_daily"],
                status="complete",
                completed_at=self._at(day0 + timedelta(days=day), 20),
                entered_at=self._at(day0 + timedelta(days=day), 21),
            )
            for item, value in (("average", level), ("worst", level + 1)):
                self._add("responseitem", response_id=response, item=item, value=float(np.clip(round(value), 0, 10)))

    def _visits(self, key: int, day0: date, last: int, base: float, slope: float) -> None:
        for position, (code, day) in enumerate((("BL", -3), ("D0", 0), ("D1", 1), ("W1", 7), ("W2", 14), ("W4", 28))):
            missed = day > last
            on = day0 + timedelta(days=day)
            visit = self._add(
                "visit",
                participant_id=key,
                code=code,
                position=position,
                closes_at=self._at(on + timedelta(days=2), 23),
                started_at=None if missed else self._at(on, 9),
                status="missed" if missed else "done",
                missed_reason="Withdrawn" if missed else "",
                out_of_window=not missed and self.rng.random() < 0.04,
            )
            if missed or code == "D0":
                continue
            for instrument, name, scale in (("sf_mpq_2", "affective", 0.7), ("bpi_sf", "interference", 0.9)):
                level = scale * (base - slope * (day > 0)) + self.rng.normal(0, 0.7)
                response = self._add(
                    "response",
                    participant_id=key,
                    visit_id=visit,
                    instrument_id=self.instruments[instrument],
                    status="complete",
                    completed_at=self._at(on, 10),
                    entered_at=self._at(on + timedelta(days=int(self.rng.integers(0, 12))), 10),
                )
                self._add("score", response_id=response, participant_id=key, name=name, number=float(max(level, 0)))

    def _dimensions(self, key: int, last: int, base: float, arm: str) -> None:
        """Mood, catastrophising, affective interference and sensory testing, which falls back under KET."""
        trait = self.later.normal()
        visits = [v for v in self.rows["visit"] if v["participant_id"] == key and v["status"] == "done"]
        for visit in visits:
            day = {"BL": 0, "D0": -1, "D1": 1, "W1": 7, "W2": 14, "W4": 28}[visit["code"]]
            if day < 0:
                continue
            gain = 0.4 * (day > 0) + self.effect * (arm == "KET") * (day > 0)
            at = visit["started_at"]
            for name, score, mean, spread in (
                ("madrs", "total", 18, 6),
                ("pcs", "total", 26, 8),
                ("bpi_sf", "interference_affective", 5, 1.5),
                ("sf_mpq_2_24h", "affective", 4, 1.5),
            ):
                if (name == "sf_mpq_2_24h" and day != 1) or (name == "bpi_sf" and day == 1):
                    continue
                level = mean + spread * (trait + self.later.normal(0, 0.6) - gain)
                response = self._add(
                    "response",
                    participant_id=key,
                    visit_id=visit["id"],
                    instrument_id=self.instruments[name],
                    status="complete",
                    completed_at=at,
                    entered_at=at,
                )
                self._add("score", response_id=response, participant_id=key, name=score, number=round(level, 4))
            session = self._add("qstsession", participant_id=key, visit_id=visit["id"], tested_at=at)
            fading = 2.0 ** (-day / 2) if day else 0.0
            for parameter in ("qst_composite", "CDT", "PPT"):
                z = 0.6 + trait - self.effect * (arm == "KET") * fading + self.later.normal(0, 0.5)
                self._add(
                    "qstvalue",
                    participant_id=key,
                    session_id=session,
                    area="test",
                    parameter=parameter.removeprefix("qst_"),
                    value=z,
                    z=z,
                )

    def _guesses(self, key: int, day0: date, arm: str) -> None:
        visit = next(v["id"] for v in self.rows["visit"] if v["participant_id"] == key and v["code"] == "D0")
        for respondent in ("participant", "infusion_nurse"):
            guess = int(self.later.choice([1, 2, 3], p=[0.5, 0.3, 0.2] if arm == "KET" else [0.3, 0.5, 0.2]))
            response = self._add(
                "response",
                participant_id=key,
                visit_id=visit,
                minute=240,
                respondent=respondent,
                instrument_id=self.instruments["treatment_guess"],
                status="complete",
                completed_at=self._at(day0, 15),
                entered_at=self._at(day0, 15),
            )
            self._add("responseitem", response_id=response, item="guess", value=guess)

    def _harms(self, key: int, day0: date, arm: str) -> None:
        for number, (term, chances) in enumerate(TERMS.items(), start=1):
            if self.rng.random() < chances[arm == "MDZ"]:
                grade = int(self.rng.choice([1, 2, 3], p=[0.65, 0.3, 0.05]))
                self._add(
                    "adverseevent",
                    participant_id=key,
                    number=number,
                    term=term,
                    started_on=str(day0) if number > 1 else f"{day0:%Y-%m}",
                    grade=grade,
                    serious=grade == 3 and self.rng.random() < 0.4,
                    relatedness="possible",
                    outcome="recovered",
                    treatment_emergent=True,
                )
        if self.rng.random() < 0.05:
            self._add(
                "deviation",
                participant_id=key,
                kind="window",
                severity="major" if self.rng.random() < 0.3 else "minor",
                occurred_on=day0 + timedelta(days=30),
            )
