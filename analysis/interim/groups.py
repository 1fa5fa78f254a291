"""The columns of a table: everybody together, or the arms side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.datasets import Trial, as_received


@dataclass(frozen=True)
class Groups:
    """Who stands in which column. member: participant key -> code, only of those who stand in one."""

    labels: dict[str, str]
    member: pd.Series[Any]

    def __iter__(self) -> Iterator[tuple[str, pd.Index[Any]]]:
        """Each code with its participants, in the order of the columns."""
        for code in self.labels:
            yield code, self.member.index[self.member == code]

    def within(self, chosen: pd.Series[bool]) -> Groups:
        """The same columns, only those participants of whom `chosen` is true."""
        kept = self.member.index.intersection(chosen.index[chosen], sort=False)
        return Groups(self.labels, self.member.loc[kept])

    def head(self) -> list[dict[str, Any]]:
        """Code, label and number of each column."""
        return [{"code": code, "label": self.labels[code], "n": len(people)} for code, people in self]


def pooled(people: pd.DataFrame) -> Groups:
    """Everybody in one column."""
    return Groups({"ALL": "All"}, pd.Series("ALL", index=people.index, dtype="str"))


def by_arm(trial: Trial, arms: pd.Series[Any]) -> Groups:
    """The randomised by the arm they were allocated to, in the protocol's order of arms."""
    return _ordered(trial, arms.reindex(trial.people.index[trial.people["RAND"]]))


def as_treated(trial: Trial, arms: pd.Series[Any]) -> Groups:
    """Those treated, by what they got: a kit that was another's brings that participant's arm (DOMAIN 1.1, SAF)."""
    return _ordered(trial, as_received(trial, arms)["TRT01A"])


def _ordered(trial: Trial, member: pd.Series[Any]) -> Groups:
    member = member.dropna()
    known = trial.arm_labels()
    others = sorted(set(member.unique()) - set(known))
    return Groups({**known, **{code: code for code in others}}, member)
