"""Exports of QST devices: the difference is shown before it is taken.

What was chosen waits as a draft of the person who chose it, and is no data until it is taken.
"""

from __future__ import annotations

import base64
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.models import ImportedFile, OriginalFile
from outcomes.qst_import import LoadedDeviceMapping, Plan, load_device_mapping, plan_export, take_export
from outcomes.qst_import.reading import LARGEST
from studies.errors import InvalidEntry, NotAllowed, TrialError
from studies.models import Draft, User
from studies.permissions import may_enter_qst, require, visible_sites, visible_studies
from studies.protocol import DocumentInvalid
from trialsite.desk import drafts
from trialsite.desk.page import View, page, refusals, say, shows_refusals, user_of

FORM = "qst_export"
MOST_SHOWN = 300
MOST_MAPPING = 100_000


@shows_refusals
def qst_import(request: HttpRequest) -> HttpResponse:
    """Choose a file, see what it would change, take it or leave it."""
    user = user_of(request)
    require(any(may_enter_qst(user, site) for site in visible_sites(user)), "import QST here")
    errors: dict[str, str] = {}
    refused: tuple[Refusal, ...] = ()
    if request.method == "POST":
        try:
            if done := _act(request):
                say(request, done)
                return redirect("admin:qst_import")
        except ImportRefused as error:
            refused = error.refusals
        except NotAllowed:
            raise
        except TrialError as error:
            errors = refusals(error)
        except DocumentInvalid as error:
            errors = {"mapping": str(error)}
    waiting = None if refused else _waiting(user)
    plan, problem = _plan(user, waiting)
    if problem and not errors:
        errors = {"": problem}
    return page(
        request,
        "qst_import.html",
        room="study",
        title="QST export",
        status=422 if errors or refused else 200,
        errors=errors,
        refused=refused[:MOST_SHOWN],
        refused_count=len(refused),
        plan=plan,
        shown=[d for d in plan.differences if d.kind != "equal"][:MOST_SHOWN] if plan else [],
        counts=[(kind, plan.count(kind)) for kind in ("new", "changed", "equal")] if plan else [],
        mappings=_mappings(user),
        taken=_taken(user),
        largest=LARGEST,
    )


def _act(request: HttpRequest) -> str:
    """Do what is asked; says what was done, or nothing where the difference is to be shown first."""
    user = user_of(request)
    if "leave" in request.POST:
        drafts.forget(user, FORM)
        return "The file was not taken. Nothing of it is kept."
    if "take" in request.POST:
        return _take(request, user)
    loaded, content, name = _chosen(request, user)
    # Read before it is kept: a file that is refused does not wait.
    plan_export(user, loaded=loaded, content=content, name=name)
    kept = {
        "name": name,
        "content": base64.b64encode(content).decode(),
        "mapping_name": loaded.name,
        "mapping": loaded.text,
    }
    Draft.objects.update_or_create(user=user, form=FORM, defaults={"content": kept})
    return ""


def _take(request: HttpRequest, user: User) -> str:
    waiting = _waiting(user)
    if waiting is None:
        raise InvalidEntry("No file waits here any more. Choose it again.")
    loaded, content, name = waiting
    taken = take_export(
        user,
        loaded=loaded,
        content=content,
        name=name,
        reason=request.POST.get("reason", ""),
        shown=request.POST.get("shown", ""),
    )
    drafts.forget(user, FORM)
    if not taken.new:
        return f"{name} had been taken before, on {taken.file.entered_at:%-d %b %Y}. Nothing was changed."
    return f"{name}: {taken.trials} readings taken; {taken.sessions} sessions entered, {taken.corrected} corrected."


def _chosen(request: HttpRequest, user: User) -> tuple[LoadedDeviceMapping, bytes, str]:
    """The mapping and the file that were chosen. Raises InvalidEntry, DocumentInvalid."""
    data = request.FILES.get("data")
    if not isinstance(data, UploadedFile):
        raise InvalidEntry("Choose the file that the device's program wrote.", field="data")
    if (data.size or 0) > LARGEST:
        message = f"The file has {data.size} bytes; {LARGEST} are allowed. Export one visit at a time."
        raise InvalidEntry(message, field="data")
    return _mapping(request, user), data.read(), (data.name or "export")[:200]


def _mapping(request: HttpRequest, user: User) -> LoadedDeviceMapping:
    given = request.FILES.get("mapping")
    if isinstance(given, UploadedFile):
        if (given.size or 0) > MOST_MAPPING:
            raise InvalidEntry("The mapping is too large to be one. Is it the data file?", field="mapping")
        try:
            text = given.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidEntry("A mapping is a text in UTF-8.", field="mapping") from error
        return load_device_mapping(text, name=(given.name or "mapping.yaml")[:200])
    chosen = request.POST.get("earlier", "")
    for kept in _mappings(user):
        if str(kept.pk) == chosen:
            return load_device_mapping(kept.mapping, name=kept.mapping_name)
    raise InvalidEntry("Choose a mapping: a file, or one that was used before.", field="mapping")


def _mappings(user: User) -> list[OriginalFile]:
    """The mappings that were used before, each once, the newest first."""
    rows = OriginalFile.objects.filter(imported_file__in=_taken(user)).defer("content").order_by("-pk")
    return list({(row.mapping_name, row.mapping): row for row in reversed(rows)}.values())[::-1]


def _taken(user: User) -> Any:
    """Files of QST devices that were taken, of the studies in sight."""
    rows = ImportedFile.objects.filter(study__in=visible_studies(user), qst_sessions__isnull=False)
    return ImportedFile.objects.filter(pk__in=rows.values("pk")).select_related("study").order_by("-pk")[:20]


def _waiting(user: User) -> tuple[LoadedDeviceMapping, bytes, str] | None:
    """The file that was chosen and neither taken nor left."""
    draft = drafts.find(user, FORM)
    if draft is None:
        return None
    kept = draft.content
    loaded = load_device_mapping(kept["mapping"], name=kept["mapping_name"])
    return loaded, base64.b64decode(kept["content"]), kept["name"]


def _plan(user: User, waiting: tuple[LoadedDeviceMapping, bytes, str] | None) -> tuple[Plan | None, str]:
    """What taking the waiting file would do now; or why it cannot be taken any more."""
    if waiting is None:
        return None, ""
    loaded, content, name = waiting
    try:
        return plan_export(user, loaded=loaded, content=content, name=name), ""
    except TrialError as error:
        return None, error.message


urls: list[tuple[str, View, str]] = [("qst/import/", qst_import, "qst_import")]
