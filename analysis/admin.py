"""Cuts, plans, looks, design simulations and jobs: read-only, those of the studies a person sees (studies/admin.py)."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from analysis.models import DataCut, DesignSimulation, Job, Look, Plan
from studies.admin import OfStudyAdmin

admin.site.register([DataCut, DesignSimulation, Look, Plan], OfStudyAdmin)


@admin.register(Job)
class JobAdmin(OfStudyAdmin):
    """What the workers do. A job is no record: nobody entered it."""

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return ("kind", "side", "study", "cut", "status", "failure", "attempt", "ordered_by", "ordered_at")
