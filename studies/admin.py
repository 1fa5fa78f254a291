"""All records, bare and read-only, for those who may see them: in the trial's own rules, not in Django's.

Nothing is added, changed or deleted here: that is what verbs are for, on the pages of the desk. Being a
superuser shows nothing more; and what is concealed the database refuses to anybody of this door, which these
pages say in a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.db import ProgrammingError, models
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from psycopg.errors import InsufficientPrivilege

from studies.arm_revealing import kept_values, shown_rows
from studies.models import (
    AdverseEvent,
    Allocation,
    ClosedAccount,
    Consent,
    CriterionResult,
    Deviation,
    EligibilityDecision,
    Infusion,
    InfusionSegment,
    IntercurrentEvent,
    Membership,
    Participant,
    ProtocolVersion,
    Reading,
    SafetyEvent,
    Site,
    Stratum,
    StratumCorrection,
    Study,
    User,
    Visit,
)
from studies.models.record import Stamped
from studies.permissions import (
    of_visible_participants,
    visible_participants,
    visible_sites,
    visible_studies,
)

# Columns of a list: the first ones of the record, then who changed it last and when.
COLUMNS = 7
STAMPS = tuple(field.name for field in Stamped._meta.get_fields())


if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin


class ReadOnlyAdmin(Base):
    """Lists and shows; no way to add, change or delete."""

    list_per_page = 50
    show_full_result_count = False
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RecordAdmin(ReadOnlyAdmin):
    """The records of a kind that a person may see; which these are, `visible` says."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Anybody who works at this door; the rows are another question, answered by `visible`."""
        return bool(request.user.is_active and request.user.is_staff)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        user = cast(User, request.user)
        return super().get_queryset(request).filter(self.visible(user), shown_rows(user, self.model))

    def visible(self, user: User) -> Q:
        """The condition for rows that the user may see."""
        raise NotImplementedError

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        told = self._told_fields(request)
        own = [field.name for field in told if not isinstance(field, models.JSONField | models.TextField)]
        return (*own[:COLUMNS], "changed_at", "changed_by")

    def get_list_filter(self, request: HttpRequest) -> tuple[str, ...]:
        """Fields with few values. None that leads to another table: its rows have a scope of their own."""
        return tuple(f.name for f in self._told_fields(request) if f.choices or isinstance(f, models.BooleanField))

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A field that is kept from a person in a study is in none of the bare rows that the person is shown."""
        return tuple(kept_values(cast(User, request.user), self.model))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Nor is it asked for in an address."""
        kept = kept_values(cast(User, request.user), self.model)
        return lookup.partition("__")[0] not in kept and super().lookup_allowed(lookup, value, request)

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        texts = [f.name for f in self._told_fields(request) if isinstance(f, models.CharField) and not f.choices]
        return (*texts, "participant__identifier") if self._of_participant() else tuple(texts)

    def get_list_select_related(self, request: HttpRequest) -> tuple[str, ...]:
        """What the columns name, and the study that many of them name in turn."""
        keys = [field for field in self._own_fields() if isinstance(field, models.ForeignKey)]
        of_study = [f"{f.name}__study" for f in keys if any(g.name == "study" for g in f.related_model._meta.fields)]
        return (*(field.name for field in keys), *of_study)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The audit trail's own page; Django's log knows nothing of verbs."""
        record = self.get_object(request, object_id)
        if record is None or not (isinstance(record, Participant) or self._of_participant()):
            return redirect("admin:records")
        person = record if isinstance(record, Participant) else record.participant
        page = reverse("admin:history", args=[person.identifier])
        return redirect(f"{page}?kind={self.opts.model_name}&record={record.pk}")

    def _told_fields(self, request: HttpRequest) -> list[models.Field[Any, Any]]:
        kept = kept_values(cast(User, request.user), self.model)
        return [field for field in self._own_fields() if field.name not in kept]

    def _own_fields(self) -> list[models.Field[Any, Any]]:
        return [f for f in self.model._meta.concrete_fields if not f.primary_key and f.name not in STAMPS]

    def _of_participant(self) -> bool:
        return any(field.name == "participant" for field in self._own_fields())


class OfParticipantAdmin(RecordAdmin):
    """Records that hang on a participant."""

    def visible(self, user: User) -> Q:
        return of_visible_participants(user)


class OfStudyAdmin(RecordAdmin):
    """Records that hang on a study."""

    def visible(self, user: User) -> Q:
        return Q(study__in=visible_studies(user))


@admin.register(Study)
class StudyAdmin(RecordAdmin):
    def visible(self, user: User) -> Q:
        return Q(pk__in=visible_studies(user))


@admin.register(Site)
class SiteAdmin(RecordAdmin):
    def visible(self, user: User) -> Q:
        return Q(pk__in=visible_sites(user))


@admin.register(Participant)
class ParticipantAdmin(RecordAdmin):
    def visible(self, user: User) -> Q:
        return Q(pk__in=visible_participants(user))


admin.site.register([ProtocolVersion, Stratum, Membership], OfStudyAdmin)
admin.site.register(
    [
        AdverseEvent,
        Allocation,
        Consent,
        CriterionResult,
        Deviation,
        EligibilityDecision,
        Infusion,
        InfusionSegment,
        IntercurrentEvent,
        Reading,
        SafetyEvent,
        StratumCorrection,
        Visit,
    ],
    OfParticipantAdmin,
)


View = Callable[..., HttpResponse]


def _says_what_the_database_refuses(view: View) -> View:
    """Answer 403 with a sentence where the database does not let this door read."""

    @wraps(view)
    def asked(self: ReadOnlyAdmin, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(self, request, *args, **kwargs)
        except ProgrammingError as error:
            if not isinstance(error.__cause__, InsufficientPrivilege):
                raise
        context = {**self.admin_site.each_context(request), "title": "Not at this door", "opts": self.opts}
        return TemplateResponse(request, "admin/refused_by_database.html", context, status=403)

    return asked


@admin.register(ClosedAccount)
class ClosedAccountAdmin(ReadOnlyAdmin):
    """Whoever asks for people of the closed door is refused by the database itself: `app` has no right to it."""

    list_display = ("username", "role", "study_id")
    changelist_view = _says_what_the_database_refuses(ReadOnlyAdmin.changelist_view)
    changeform_view = _says_what_the_database_refuses(ReadOnlyAdmin.changeform_view)
    delete_view = _says_what_the_database_refuses(ReadOnlyAdmin.delete_view)
    history_view = _says_what_the_database_refuses(ReadOnlyAdmin.history_view)
