"""The one transaction that takes an export: sessions, corrections, and the file as it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from outcomes.models import ImportedFile, OriginalFile, QSTSession
from outcomes.qst_corrections import store_correction
from outcomes.qst_import.mapping import LoadedDeviceMapping
from outcomes.qst_import.planning import Plan, plan_export
from outcomes.qst_sessions import store_sessions
from studies.acting import Actor, verb
from studies.errors import InvalidEntry, TrialError
from studies.models import Study


class PlanChanged(TrialError):
    """What is stored has changed since the difference was shown."""

    code = "plan_changed"


@dataclass(frozen=True, slots=True)
class Taken:
    """What an import did. new: False where the same file had been taken before, and nothing was written."""

    file: ImportedFile
    new: bool
    sessions: int = 0
    corrected: int = 0
    trials: int = 0


@verb(because="QST export imported")
def take_export(
    actor: Actor,
    *,
    loaded: LoadedDeviceMapping,
    content: bytes,
    name: str,
    reason: str = "",
    shown: str = "",
) -> Taken:
    """Take a file whole, or nothing of it. Safe to repeat: the same bytes again change nothing.

    reason: why saved sessions change, where they do; shown: the digest of the plan that was shown, if one was.
    Raises what `plan_export` raises; PlanChanged; InvalidEntry without a reason; ConsentMissing, InvalidEntries.
    """
    plan = plan_export(actor, loaded=loaded, content=content, name=name)
    # Two imports at once: the second waits here and finds the file taken.
    Study.objects.select_for_update().get(pk=plan.study.pk)
    before = ImportedFile.objects.filter(study=plan.study, sha256=plan.table.sha256).first()
    if before is not None:
        return Taken(before, new=False)
    if shown and plan_export(actor, loaded=loaded, content=content, name=name).digest != shown:
        raise PlanChanged("What is stored has changed since the difference was shown. Look at it again.")
    if plan.needs_reason and not reason.strip():
        raise InvalidEntry("The file changes saved sessions: give the reason for it.", field="reason")
    file = _keep(plan, content)
    sessions = _store(actor, plan, file)
    for session, trials in plan.corrections:
        store_correction(actor, session=session, trials=trials, reason=reason)
    return Taken(file, True, len(sessions), len(plan.corrections), plan.count("new") + plan.count("changed"))


def _store(actor: Actor, plan: Plan, file: ImportedFile) -> Sequence[QSTSession]:
    if not plan.entries:
        return []
    return store_sessions(actor, entries=[replace(entry, imported_file=file) for entry in plan.entries])


def _keep(plan: Plan, content: bytes) -> ImportedFile:
    """The file with its hash, and its bytes and mapping beside it."""
    file = ImportedFile.objects.create(
        study=plan.study,
        name=plan.table.name[:200],
        sha256=plan.table.sha256,
        bytes=len(content),
        mapping_sha256=plan.loaded.sha256,
        rows=len(plan.table.rows),
    )
    OriginalFile.objects.create(
        imported_file=file,
        sha256=plan.table.sha256,
        content=content,
        mapping_name=plan.loaded.name[:200],
        mapping=plan.loaded.text,
    )
    return file
