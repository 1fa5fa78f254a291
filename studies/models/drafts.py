"""What was typed but not yet saved. Not data: kept on the server so that nothing typed is lost."""

from __future__ import annotations

from django.db import models


class Draft(models.Model):
    """The unsaved content of one form of one person."""

    user = models.ForeignKey("studies.User", on_delete=models.CASCADE, related_name="drafts")
    form = models.CharField(max_length=120, help_text="Which form: kind, participant, visit and instrument")
    content = models.JSONField()
    kept_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(name="draft_once", fields=["user", "form"])]
