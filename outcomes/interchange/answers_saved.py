"""Mappings of imported studies, kept for the next file; and taking what is stored of such a study as answers by one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from outcomes.imports.refusals import Refusal
from outcomes.interchange.answers import take_answers
from outcomes.interchange.answers_planning import (
    AnsweredChange,
    AnsweredItem,
    AnswersPlan,
    changes_of,
    plan_answers,
)
from outcomes.interchange.document import Document
from outcomes.interchange.records_mapping import RecordsMapping
from outcomes.interchange.stored import cells_now, definitions_in_force, study_element
from outcomes.models import AnswersMapping, AnswersReport
from studies.acting import verb
from studies.errors import InvalidEntry, NotAllowed
from studies.models import Study, User
from studies.permissions import may_manage_data, require

LISTED = 500


def saved_mapping(study: Study) -> AnswersMapping | None:
    """The mapping of an imported study that holds: the newest. None before the first."""
    return AnswersMapping.objects.filter(study=study).order_by("-pk").first()


def mapping_in(saved: AnswersMapping | None) -> RecordsMapping:
    """What a saved mapping says; nothing before the first."""
    return RecordsMapping.model_validate(saved.content) if saved else RecordsMapping()


@verb(because="answers mapping saved")
def save_mapping(user: User, *, study: Study, mapping: RecordsMapping) -> AnswersMapping:
    """Keep a mapping beside the earlier ones. Raises NotAllowed."""
    require(may_manage_data(user, study), "say what the values of this study are")
    content = mapping.model_dump(mode="json")
    known = saved_mapping(study)
    if known is not None and known.content == content:
        return known
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return AnswersMapping.objects.create(study=study, sha256=hashlib.sha256(text.encode()).hexdigest(), content=content)


def stored_document(study: Study) -> Document:
    """What is stored of an imported study, as one document: its definitions and its values as they are now."""
    definitions = definitions_in_force(study)
    return Document(
        name=study.code,
        format="odm",
        sha256="",
        bytes=0,
        study_oid=definitions.study_oid if definitions else "",
        version_oid=definitions.version_oid if definitions else "",
        study=study_element(definitions),
        cells=cells_now(study),
    )


def plan_stored(user: User, *, study: Study) -> AnswersPlan:
    """What the saved mapping would make of the stored values. Raises NotAllowed, InvalidEntry without a mapping."""
    saved, _ = _ready(user, study)
    return plan_answers(stored_document(study), mapping_in(saved), user=user)


def _ready(user: User, study: Study) -> tuple[AnswersMapping, Study]:
    """The mapping that holds, and the study that its answers go into."""
    saved = saved_mapping(study)
    answers = mapping_in(saved).answers
    if saved is None or answers is None or not answers.forms:
        raise InvalidEntry("Say first which forms are instruments here, at least one.")
    target = Study.objects.filter(code=answers.study).first()
    if target is None or not may_manage_data(user, study) or not may_manage_data(user, target):
        raise NotAllowed(f"Your role does not allow you to take answers of {study.code} into {answers.study}.")
    return saved, target


@dataclass(frozen=True, slots=True)
class TakenLine:
    """An answer that was stored otherwise: whose, which, the row, and both values."""

    row: int
    about: str
    stored: str
    value: str


@verb(because="answers imported from a file of another system")
def take_stored(
    user: User,
    *,
    study: Study,
    changed: Literal["refuse", "correct", "leave"] = "refuse",
    refused: Literal["refuse", "leave"] = "refuse",
    reason: str = "",
    shown: str = "",
) -> AnswersReport:
    """Take what is stored of an imported study as answers, by its saved mapping; all of it or nothing. Safe to repeat.

    Raises what `take_answers` raises, and NotAllowed where the person manages the data of one of the studies only.
    """
    Study.objects.select_for_update().get(pk=study.pk)
    saved, target = _ready(user, study)
    planned = take_answers(
        user,
        document=stored_document(study),
        mapping=mapping_in(saved),
        changed=changed,
        refused=refused,
        reason=reason,
        shown=shown,
    )
    content = reported(planned, changed=changed, reason=reason)
    return AnswersReport.objects.create(mapping=saved, target=target, content=content)


def reported(planned: AnswersPlan, *, changed: str, reason: str) -> dict[str, Any]:
    """What a plan takes, corrects and leaves out, for people and for storing. Lists are cut, counts are not."""
    lines = [_line(change, answer) for change, answer in changes_of(planned)]
    return {
        "taken": len(planned.new),
        "changed": len(planned.changed),
        "changed_as": changed,
        "equal": len(planned.equal),
        "left_out": planned.left_out,
        "reason": reason.strip(),
        "counts": [[key, *counts] for key, counts in planned.counts.items()],
        "changes": [asdict(line) for line in lines[:LISTED]],
        "all_changes": len(lines),
        "refused": [_said(refusal) for refusal in planned.refused[:LISTED]],
        "all_refused": len(planned.refused),
    }


def _line(change: AnsweredChange, answer: AnsweredItem) -> TakenLine:
    response = change.response
    visit = response.visit.code if response.visit else ""
    about = f"{response.participant} · {visit} · {response.instrument.name}, item {answer.item}"
    return TakenLine(answer.line, about, answer.old, answer.new)


def _said(refusal: Refusal) -> dict[str, Any]:
    return {"row": refusal.row, "column": refusal.column, "value": refusal.value, "why": refusal.why}
