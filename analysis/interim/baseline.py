"""What participants were like before treatment, and every endpoint's values by timepoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.datasets import Trial
from analysis.interim.groups import Groups
from analysis.interim.numbers import share, summary
from studies.protocol.analysis_plan import Timepoint

_WITH_MEANS = ("change", "level")
_SEXES = {"F": "Female", "M": "Male"}


def baseline(trial: Trial, groups: Groups) -> dict[str, Any]:
    """Age, sex, strata and the endpoints' baseline values of the randomised, in each column."""
    people = trial.people
    rows = [_numeric("Age (years)", people["age_years"], groups)]
    rows += _categories("Sex", people["sex"].map(_SEXES), groups, tuple(_SEXES.values()))
    for name in trial.strata.columns:
        order, texts = _levels(trial, name), _level_texts(trial, name)
        heading, *levels = _categories(_factor_label(trial, name), trial.strata[name], groups, order, texts)
        rows += [{**heading, "factor": name}, *levels]
    names = trial.cut.rows("instrumentversion", ["key", "name"]).drop_duplicates("key").set_index("key")["name"]
    seen: set[tuple[str, str | None, str]] = set()
    for endpoint in trial.plan.endpoints:
        source = (endpoint.instrument, endpoint.item or endpoint.score, endpoint.baseline.code)
        if source not in seen:
            seen.add(source)
            values = trial.values(endpoint)[endpoint.baseline.code]
            rows.append(_numeric(_value_label(names.get(endpoint.instrument), *source[:2]), values, groups))
    return {"groups": groups.head(), "rows": rows}


def descriptives(trial: Trial, groups: Groups) -> list[dict[str, Any]]:
    """Every numeric endpoint at every timepoint: n, missing, mean, SD, median, in each column."""
    tables = []
    for endpoint in trial.plan.endpoints:
        # Responders, losses and contrasts are drawn from values that another endpoint shows.
        if endpoint.type not in _WITH_MEANS:
            continue
        values = trial.values(endpoint)
        labels = {t.code: _when(trial, t) for t in (endpoint.baseline, *endpoint.timepoints)}
        cells = [
            {
                "arm": code,
                "timepoint": timepoint,
                "label": labels[timepoint],
                **summary(values.loc[ids, timepoint]),
            }
            for timepoint in values.columns
            for code, ids in groups
        ]
        tables.append({"endpoint": endpoint.id, "label": endpoint.label, "cells": cells})
    return tables


def _when(trial: Trial, timepoint: Timepoint) -> str:
    """What a timepoint is called: in the plan, or as its visit is in the protocol, or by its days."""
    if not timepoint.label and timepoint.days:
        first, last = (f"{day}".replace("-", "\u2212") for day in timepoint.days)
        return f"Days {first} to {last}"
    if timepoint.label or timepoint.visit is None or trial.protocol is None:
        return timepoint.label or timepoint.code
    return str(trial.protocol.visit(timepoint.visit).label)


def _numeric(label: str, values: pd.Series[Any], groups: Groups) -> dict[str, Any]:
    return {"label": label, "kind": "number", "cells": [summary(values.reindex(ids)) for _, ids in groups]}


def _categories(
    label: str, values: pd.Series[Any], groups: Groups, order: tuple[str, ...], texts: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    levels = [*order, *sorted(set(values.dropna()) - set(order))]
    missing = [int(values.reindex(ids).isna().sum()) for _, ids in groups]
    rows = [{"label": label, "kind": "heading", "cells": [{"missing": count} for count in missing]}]
    for level in levels:
        cells = [
            share(int(values.reindex(ids).eq(level).sum()), int(values.reindex(ids).notna().sum())) for _, ids in groups
        ]
        rows.append({"label": level, "text": (texts or {}).get(level, level), "kind": "share", "cells": cells})
    return rows


def _factor_label(trial: Trial, name: str) -> str:
    factors = trial.protocol.strata.factors if trial.protocol else ()
    return next((factor.label for factor in factors if factor.key == name), name.replace("_", " ").capitalize())


def _levels(trial: Trial, name: str) -> tuple[str, ...]:
    factors = trial.protocol.strata.factors if trial.protocol else ()
    return next((tuple(level.code for level in f.levels) for f in factors if f.key == name), ())


def _level_texts(trial: Trial, name: str) -> dict[str, str]:
    """What each level of a factor is called; a level that has no name of its own is not there."""
    if trial.protocol is None:
        return {}
    if name == "site":
        return {site.code: site.name for site in trial.protocol.sites}
    return next(
        ({level.code: level.label for level in f.levels} for f in trial.protocol.strata.factors if f.key == name), {}
    )


def _value_label(instrument: str | None, key: str, value: str | None) -> str:
    """What a value is called: its instrument's name and its own; one that stands in no library by its key."""
    own = str(value).replace("_", " ")
    if not instrument and key in own:
        return own.replace(key, key.upper())
    return f"{instrument or key}: {own}".replace("_", " ")
