"""Which rows of which tables make a cut. Every kind of row is named here: in a cut or left out."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from django.apps import apps
from django.db import models

from analysis.cuts.revealing import ALL_ROWS, conditions
from studies.models import Stamped
from studies.protocol.arm_revealing import Revealing

_OF_STUDY = "t.study_id = {study}"
_OF_PARTICIPANT = "t.participant_id IN (SELECT id FROM studies_participant WHERE study_id = {study})"
_RESPONSES = (
    "SELECT r.id FROM outcomes_response r JOIN studies_participant p ON p.id = r.participant_id"
    " WHERE p.study_id = {study}"
)
_INSTRUMENTS = (
    "SELECT r.instrument_id FROM outcomes_response r JOIN studies_participant p ON p.id = r.participant_id"
    " WHERE p.study_id = {study}"
)
_SESSIONS = (
    "SELECT s.id FROM outcomes_qstsession s JOIN studies_participant p ON p.id = s.participant_id"
    " WHERE p.study_id = {study}"
)
_OF_SITE = "t.site_id IN (SELECT id FROM studies_site WHERE study_id = {study})"
# kind -> which of its rows belong to a study.
_ROWS = {
    "study": "t.id = {study}",
    "protocolversion": _OF_STUDY,
    "site": _OF_STUDY,
    "stratum": _OF_STUDY,
    "instrumentversion": f"t.id IN ({_INSTRUMENTS})",
    "importedfile": _OF_STUDY,
    "participant": _OF_STUDY,
    "consent": _OF_PARTICIPANT,
    "criterionresult": _OF_PARTICIPANT,
    "eligibilitydecision": _OF_PARTICIPANT,
    "allocation": _OF_PARTICIPANT,
    "deviation": _OF_PARTICIPANT,
    "stratumcorrection": _OF_PARTICIPANT,
    "intercurrentevent": _OF_PARTICIPANT,
    "visit": _OF_PARTICIPANT,
    "infusion": _OF_PARTICIPANT,
    "infusionsegment": _OF_PARTICIPANT,
    "reading": _OF_PARTICIPANT,
    "safetyevent": _OF_PARTICIPANT,
    "adverseevent": _OF_PARTICIPANT,
    "safetyalert": _OF_PARTICIPANT,
    "finding": _OF_PARTICIPANT,
    "response": _OF_PARTICIPANT,
    "responseitem": f"t.response_id IN ({_RESPONSES})",
    "score": _OF_PARTICIPANT,
    "device": _OF_SITE,
    "invitation": _OF_PARTICIPANT,
    "ownanswer": _OF_PARTICIPANT,
    "qstsession": _OF_PARTICIPANT,
    "deviceuse": _OF_PARTICIPANT,
    "conditioningstimulus": _OF_PARTICIPANT,
    "qstflag": _OF_PARTICIPANT,
    "qsttrial": f"t.session_id IN ({_SESSIONS})",
    "qstvalue": _OF_PARTICIPANT,
}
# What a cut never holds: who people are, copyrighted wording, files as they came, and the analysis's own rows.
LEFT_OUT = frozenset(
    {
        "contactdetails",
        "membership",
        "instrumentwording",
        "wordingtext",
        "originalfile",
        # Of other systems, with names and addresses among the values: what was mapped to instruments is a response.
        "importedcell",
        "importeddefinitions",
        "importreport",
        "answersmapping",
        "answersreport",
        "contactpreference",
        "sitecontact",
        "reminder",
        # Free text of the site: it may tell what the infusion unit saw.
        "clarification",
        "datacut",
        "designsimulation",
        "plan",
        "look",
        "recommendation",
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is in the database, the Arrow type of its file, and its label."""

    name: str
    type: pa.DataType
    label: str
    sql: str


@dataclass(frozen=True, slots=True)
class CutTable:
    """One kind's rows in one part of a cut: where they are, which of them, in which columns."""

    kind: str
    table: str
    condition: str
    columns: tuple[Column, ...]

    @property
    def file(self) -> str:
        return f"{self.kind}.parquet"

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([(column.name, column.type) for column in self.columns])

    def select(self, study: int) -> str:
        columns = ", ".join(column.sql for column in self.columns)
        return f"SELECT {columns} FROM {self._source(study)} ORDER BY t.id"  # noqa: S608 - names from the models

    def count(self, study: int) -> str:
        """A query for the rows and for the cells that hold a value."""
        cells = " + ".join(f'count(t."{column.name}")' for column in self.columns)
        return f"SELECT count(*), {cells} FROM {self._source(study)}"  # noqa: S608 - names from the models

    def _source(self, study: int) -> str:
        return f"{self.table} t WHERE {self.condition.format(study=int(study))}"


def blinded_tables(revealing: Revealing) -> list[CutTable]:
    """The tables of the blinded cut: no row and no column in them reveals an arm."""
    hidden = conditions(revealing)
    return [
        _table(kind, f"({rows}) AND NOT ({hidden[kind]})" if kind in hidden else rows, revealing.columns(kind))
        for kind, rows in _ROWS.items()
        if hidden.get(kind) != ALL_ROWS
    ]


def restricted_tables(revealing: Revealing) -> list[CutTable]:
    """The arm-revealing rest of the same snapshot, for the unblinded side.

    Of a kind with revealing columns all rows are here, in all columns.
    """
    hidden = conditions(revealing)
    whole = {kind for kind in _ROWS if revealing.columns(kind)}
    return [
        _table(kind, rows if kind in whole else f"({rows}) AND ({hidden[kind]})")
        for kind, rows in _ROWS.items()
        if kind in whole or kind in hidden
    ]


def kinds_in_cuts() -> frozenset[str]:
    return frozenset(_ROWS)


def _table(kind: str, condition: str, without: frozenset[str] = frozenset()) -> CutTable:
    model = _model_of(kind)
    fields = [field for field in model._meta.concrete_fields if field.name not in without]
    return CutTable(kind, model._meta.db_table, condition, tuple(_column(field) for field in fields))


def _model_of(kind: str) -> type[Stamped]:
    return next(m for m in apps.get_models() if issubclass(m, Stamped) and m._meta.model_name == kind)


def _column(field: models.Field) -> Column:  # type: ignore[type-arg]
    name = field.column or field.name
    quoted = f't."{name}"'
    # The driver hands numerics, JSON and UUIDs over as opaque types; as text they lose nothing.
    as_text = isinstance(field, models.DecimalField | models.JSONField | models.UUIDField)
    sql = f'{quoted}::text AS "{name}"' if as_text else quoted
    return Column(name, _arrow_type(field), str(field.verbose_name), sql)


def _arrow_type(field: models.Field) -> pa.DataType:  # type: ignore[type-arg]
    if isinstance(field, models.ForeignKey):
        return _arrow_type(field.target_field)
    if isinstance(field, models.DecimalField):
        return pa.decimal128(field.max_digits, field.decimal_places)
    return _ARROW_TYPES[field.get_internal_type()]


_ARROW_TYPES = {
    "BigAutoField": pa.int64(),
    "BigIntegerField": pa.int64(),
    "PositiveBigIntegerField": pa.int64(),
    "IntegerField": pa.int32(),
    "PositiveIntegerField": pa.int32(),
    "SmallIntegerField": pa.int16(),
    "PositiveSmallIntegerField": pa.int16(),
    "FloatField": pa.float64(),
    "BooleanField": pa.bool_(),
    "DateTimeField": pa.timestamp("us", tz="UTC"),
    "DateField": pa.date32(),
    "CharField": pa.string(),
    "SlugField": pa.string(),
    "TextField": pa.string(),
    "JSONField": pa.string(),
    "UUIDField": pa.string(),
}
