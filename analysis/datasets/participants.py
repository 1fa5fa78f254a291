"""One row per participant: what became of them by the data date, and which analysis sets they are in."""

from __future__ import annotations

from typing import Any

import orjson
import pandas as pd

from analysis.datasets.cut_tables import Cut, local_days

_ANSWERED = ("complete", "partial")
# DOMAIN 1.1: per protocol is a dose of at least 80 % delivered.
_DOSE_FOR_PER_PROTOCOL = 80.0
_STRATUM = "stratum:"


def participants(cut: Cut, *, until: pd.Timestamp, infused_study: bool) -> pd.DataFrame:
    """All screened by `until`, indexed by participant key, in the order of their identifiers.

    until: the last day whose data count; infused_study: whether the protocol has an infusion at all.
    Columns: identifier, site, zone, sex, age_years, status (screening, screen_failure, ongoing, completed,
    withdrawn), end_reason, screened_on, randomised_on, infusion_on, day0, delivered_percent, kit_given,
    kit_allocated, major_deviation, the frozen strata as stratum:KEY, and one flag for each of RAND, FAS, PP, SAF.
    """
    people = _people(cut)
    people = people.join(_screening(cut, people)).join(_allocations(cut, people, until))
    people = people.join(_infusions(cut, people, until))
    people = people[_screened(people, until)]
    people["status"] = _status(people, until)
    people["day0"] = people["infusion_on"].fillna(people["planned_infusion_on"])
    people["major_deviation"] = people.index.isin(_with_major_deviation(cut, until))
    return people.join(_analysis_sets(cut, people, until, infused_study))


def strata_of(people: pd.DataFrame) -> pd.DataFrame:
    """The strata as they were at randomisation: one column per factor."""
    columns = [name for name in people.columns if name.startswith(_STRATUM)]
    return people[columns].rename(columns=lambda name: name.removeprefix(_STRATUM))


def _people(cut: Cut) -> pd.DataFrame:
    columns = ["id", "site_id", "identifier", "status", "sex", "age_years"]
    columns += ["planned_infusion_on", "ended_on", "end_reason"]
    people = cut.rows("participant", columns)
    sites = cut.rows("site", ["id", "code", "time_zone"]).set_index("id")
    people["site"] = people["site_id"].map(sites["code"])
    people["zone"] = people["site_id"].map(sites["time_zone"])
    # Never by key: another database holding the same trial has other keys.
    people = people.sort_values("identifier").set_index("id").drop(columns="site_id")
    return people.rename_axis("participant_id")


def _screening(cut: Cut, people: pd.DataFrame) -> pd.DataFrame:
    consents = cut.rows("consent", ["participant_id", "signed_at"])
    first = consents.groupby("participant_id")["signed_at"].min().reindex(people.index)
    decisions = cut.rows("eligibilitydecision", ["participant_id", "included", "decided_at"])
    refused = decisions[~decisions["included"].astype(bool)].set_index("participant_id")["decided_at"]
    return pd.DataFrame(
        {
            "screened_on": local_days(first, people["zone"]),
            "refused_on": local_days(refused.reindex(people.index), people["zone"]),
        }
    )


def _allocations(cut: Cut, people: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    rows = cut.rows("allocation", ["participant_id", "strata", "kit_number", "allocated_at"])
    rows = rows.set_index("participant_id").reindex(people.index)
    levels = pd.DataFrame([_levels(text) for text in rows["strata"]], index=people.index)
    frame = levels.add_prefix(_STRATUM)
    frame["randomised_on"] = _not_after(local_days(rows["allocated_at"], people["zone"]), until)
    frame["kit_allocated"] = rows["kit_number"]
    return frame


def _levels(text: Any) -> dict[str, str]:
    return orjson.loads(text) if isinstance(text, str) and text else {}


def _infusions(cut: Cut, people: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    columns = ["participant_id", "started_at", "delivered_percent", "kit_number"]
    rows = cut.rows("infusion", columns).set_index("participant_id").reindex(people.index)
    started = _not_after(local_days(rows["started_at"], people["zone"]), until)
    return pd.DataFrame(
        {
            "infusion_on": started,
            "delivered_percent": rows["delivered_percent"].where(started.notna()),
            "kit_given": rows["kit_number"].where(started.notna()),
        }
    )


def _screened(people: pd.DataFrame, until: pd.Timestamp) -> pd.Series[bool]:
    """Who had consented by then; of an imported study, where nobody consents here, everyone."""
    if people["screened_on"].isna().all():
        return pd.Series(data=True, index=people.index)
    return people["screened_on"] <= until


def _status(people: pd.DataFrame, until: pd.Timestamp) -> pd.Series[str]:
    status = pd.Series("screening", index=people.index, dtype="str")
    refused = people["status"].eq("screen_failure")
    refused &= ~(people["refused_on"] > until) & ~(people["ended_on"] > until)
    status[refused] = "screen_failure"
    randomised = people["randomised_on"].notna()
    status[randomised] = "ongoing"
    ended = randomised & ~(people["ended_on"] > until)
    for word in ("completed", "withdrawn"):
        status[ended & people["status"].eq(word)] = word
    return status


def _with_major_deviation(cut: Cut, until: pd.Timestamp) -> pd.Series[Any]:
    rows = cut.rows("deviation", ["participant_id", "severity", "occurred_on"])
    return rows.loc[rows["severity"].eq("major") & ~(rows["occurred_on"] > until), "participant_id"]


def _analysis_sets(cut: Cut, people: pd.DataFrame, until: pd.Timestamp, infused_study: bool) -> pd.DataFrame:
    """RAND, FAS, PP and SAF as DOMAIN 1.1 defines them. Without an infusion all randomised count as treated."""
    randomised = people["randomised_on"].notna()
    treated = randomised & people["infusion_on"].notna() if infused_study else randomised
    dosed = people["delivered_percent"] >= _DOSE_FOR_PER_PROTOCOL if infused_study else treated
    full = treated | (randomised & people.index.isin(_with_later_data(cut, people, until)))
    return pd.DataFrame(
        {
            "RAND": randomised,
            "FAS": full,
            "PP": full & treated & dosed & ~people["major_deviation"],
            "SAF": treated,
        }
    )


def _with_later_data(cut: Cut, people: pd.DataFrame, until: pd.Timestamp) -> list[int]:
    """The never infused who answered something after the day of randomisation."""
    waiting = people.index[people["randomised_on"].notna() & people["infusion_on"].isna()]
    if waiting.empty:
        return []
    rows = cut.rows(
        "response",
        ["participant_id", "completed_at"],
        where=[("participant_id", "in", waiting.to_list()), ("status", "in", _ANSWERED)],
    )
    person = people.loc[rows["participant_id"]].reset_index()
    answered = local_days(rows["completed_at"], person["zone"])
    later = (answered > person["randomised_on"]) & (answered <= until)
    return sorted(set(rows.loc[later, "participant_id"]))


def _not_after(days: pd.Series[Any], until: pd.Timestamp) -> pd.Series[Any]:
    return days.where(days <= until)
