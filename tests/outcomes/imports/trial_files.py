"""The two published trials of this suite, a small file of Ashar's kind, and a closed side without a process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from django.conf import settings

from outcomes.imports.arms import store_arms
from outcomes.imports.mapping import LoadedMapping, load_mapping
from outcomes.imports.taking import ProtocolFile, Source, read_source
from studies.acting import Program
from studies.models import Study
from studies.protocol import cached_definition
from tests.conftest import django_as

MAPPINGS = settings.BASE_DIR / "outcomes" / "imports" / "mappings"
PROTOCOLS = settings.BASE_DIR / "studies" / "protocols"
TRIALS = Path(__file__).parents[2] / "data" / "trials"
IMPORTER = Program("import_trial")


class ClosedSideHere:
    """Keeps arms as the child process does, through the same function and as the same role."""

    def store(self, study: Study, arms: Mapping[int, str]) -> None:
        with django_as("unblinded"):
            store_arms(IMPORTER, study=study, arms=arms)


def protocol_file(name: str) -> ProtocolFile:
    return ProtocolFile((PROTOCOLS / name).read_text(), name)


@cache
def mapping_file(name: str) -> LoadedMapping:
    return load_mapping((MAPPINGS / name).read_text(), name=name)


def source(
    content: bytes | str, *, mapping: LoadedMapping | None = None, protocol: str = "ashar2022-1.0.yaml"
) -> Source:
    """A file's content read under a mapping, Ashar's unless told otherwise."""
    content = content.encode() if isinstance(content, str) else content
    definition = cached_definition(protocol_file(protocol).text)
    return read_source(mapping or mapping_file("ashar2022.yaml"), definition, content=content, name="trial.csv")


def ashar() -> Source:
    return source((TRIALS / "ashar2022_outcomes_demographics.csv").read_bytes())


def vickers() -> Source:
    content = (TRIALS / "vickers2004_acupuncture_headache.csv").read_bytes()
    return source(content, mapping=mapping_file("vickers2004.yaml"), protocol="vickers2004-1.0.yaml")


# A small file ----------------------------------------------------------------------------------------

_SCORES = [value.column for value in mapping_file("ashar2022.yaml").mapping.values]
COLUMNS = ["id", "time", "group", *_SCORES, "age", "gender", "is_patient"]
_VALUES = dict.fromkeys(COLUMNS, "10") | {
    "time": "1",
    "group": "1",
    "pain_avg": "4",
    "bpi_intensity": "2.5",
    "bpi_interference": "1.25",
    "tsk11": "20",
    "sopa_emo": "7",
    "pgic": "NaN",
    "age": "41",
    "gender": "2",
    "is_patient": "1",
}


def line(identifier: object, **values: object) -> dict[str, str]:
    """A baseline row of a patient; what is named is otherwise than in the others."""
    return _VALUES | {"id": str(identifier)} | {name: str(value) for name, value in values.items()}


def two_patients() -> list[dict[str, str]]:
    """Two patients, in two arms, of whom the first came back."""
    return [line(7, group=1), line(7, group=1, time=2, pain_avg=1, pgic=6), line(8, group=3)]


def as_csv(lines: list[dict[str, str]], *, delimiter: str = ",") -> str:
    rows = [COLUMNS, *([each[column] for column in COLUMNS] for each in lines)]
    return "".join(f"{delimiter.join(row)}\n" for row in rows)
