"""Cuts, plans, looks, design simulations and jobs: read-only, those of the studies a person sees (studies/admin.py)."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from analysis.models import DataCut, DesignSimulation, Job, Look, Plan, Recommendation
from studies.admin import OfStudyAdmin, RecordAdmin
from studies.models import User
from studies.permissions import visible_studies

admin.site.register([DataCut, DesignSimulation, Look, Plan], OfStudyAdmin)


@admin.register(Recommendation)
class RecommendationAdmin(RecordAdmin):
    """What the DSMB released; its grounds are at the closed door."""

    def visible(self, user: User) -> Q:
        return Q(look__study__in=visible_studies(user))


@admin.register(Job)
class JobAdmin(OfStudyAdmin):
    """What the workers do. A job is no record: nobody entered it."""

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return ("kind", "side", "study", "cut", "status", "failure", "attempt", "ordered_by", "ordered_at")
