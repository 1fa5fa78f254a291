"""Measurements, bare and read-only: those that a person may see (studies/admin.py)."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q

from outcomes.arm_revealing import visible_alerts, visible_findings, visible_responses
from outcomes.models import (
    Clarification,
    ConditioningStimulus,
    ContactPreference,
    Device,
    DeviceUse,
    ImportedFile,
    InstrumentVersion,
    InstrumentWording,
    Invitation,
    QSTFlag,
    QSTSession,
    QSTTrial,
    QSTValue,
    Reminder,
    Response,
    ResponseItem,
    Score,
    SiteContact,
)
from studies.admin import OfParticipantAdmin, OfStudyAdmin, RecordAdmin
from studies.models import Finding, SafetyAlert, User
from studies.permissions import of_visible_participants, visible_sites, visible_studies


@admin.register(Response)
class ResponseAdmin(RecordAdmin):
    def visible(self, user: User) -> Q:
        return visible_responses(user)


@admin.register(ResponseItem, Score)
class OfResponseAdmin(RecordAdmin):
    def visible(self, user: User) -> Q:
        return visible_responses(user, "response__")


@admin.register(QSTTrial, QSTValue)
class OfSessionAdmin(RecordAdmin):
    def visible(self, user: User) -> Q:
        return of_visible_participants(user, "session__participant")


@admin.register(Clarification)
class ClarificationAdmin(RecordAdmin):
    def visible(self, user: User) -> Q:
        return visible_responses(user, "response__")


@admin.register(Device, SiteContact)
class OfSiteAdmin(RecordAdmin):
    def visible(self, user: User) -> Q:
        return Q(site__in=visible_sites(user))


# Findings and alerts are records of conduct; what raised them, and so who may see them, is known here.
@admin.register(Finding)
class FindingAdmin(RecordAdmin):
    def visible(self, user: User) -> Q:
        return Q(pk__in=visible_findings(user))


@admin.register(SafetyAlert)
class SafetyAlertAdmin(RecordAdmin):
    def visible(self, user: User) -> Q:
        return Q(pk__in=visible_alerts(user))


@admin.register(InstrumentVersion, InstrumentWording)
class InstrumentVersionAdmin(RecordAdmin):
    """The same for everybody who sees any study."""

    def visible(self, user: User) -> Q:
        return Q() if visible_studies(user).exists() else Q(pk__in=[])


admin.site.register([QSTSession, DeviceUse, ConditioningStimulus, QSTFlag], OfParticipantAdmin)
admin.site.register([Invitation, ContactPreference, Reminder], OfParticipantAdmin)
admin.site.register(ImportedFile, OfStudyAdmin)
