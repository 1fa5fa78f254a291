"""Questionnaire responses: raw items kept for ever, scores derived from them and recomputable."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from studies.models import Record, SameOwner, Stamped


class Response(Record):
    """One instrument answered by or about one participant, at a visit or (diary) on a day."""

    class Status(models.TextChoices):
        COMPLETE = "complete", "Complete"
        PARTIAL = "partial", "Partial"
        NOT_DONE = "not_done", "Not done"
        REFUSED = "refused", "Refused"

    class Source(models.TextChoices):
        STAFF = "staff", "Entered by staff"
        PAPER = "paper", "Transcribed from paper"
        PARTICIPANT = "participant", "Self-completed"
        DEVICE = "device", "Device"
        IMPORT = "import", "Import"

    class Respondent(models.TextChoices):
        PARTICIPANT = "participant", "Participant"
        INFUSION_NURSE = "infusion_nurse", "Infusion nurse"
        EFFICACY_RATER = "efficacy_rater", "Efficacy rater"

    class Proxy(models.TextChoices):
        PARTNER = "partner", "Partner"
        RELATIVE = "relative", "Relative"
        CARER = "carer", "Carer"
        OTHER = "other", "Somebody else"

    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="responses")
    visit = models.ForeignKey(
        "studies.Visit", on_delete=models.PROTECT, null=True, blank=True, related_name="responses"
    )
    day = models.DateField(null=True, blank=True, help_text="The diary day")
    minute = models.SmallIntegerField(null=True, blank=True, help_text="Minutes from the start of the infusion")
    instrument = models.ForeignKey("outcomes.InstrumentVersion", on_delete=models.PROTECT)
    respondent = models.CharField(
        max_length=14, choices=Respondent, blank=True, default="", help_text="Where several people are asked"
    )
    status = models.CharField(max_length=8, choices=Status)
    not_done_reason = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=11, choices=Source)
    completed_at = models.DateTimeField(help_text="When it was answered")
    days_late = models.SmallIntegerField(
        null=True, blank=True, help_text="Begun days after the window of the visit, or the diary day, was over"
    )
    proxy = models.CharField(
        "answered by proxy", max_length=8, choices=Proxy, blank=True, default="", help_text="Who answered instead"
    )
    language = models.CharField(max_length=20, blank=True, default="", help_text="Of the wording that was shown")
    wording_version = models.CharField(
        max_length=20, blank=True, default="", help_text="Empty: numbers and neutral labels"
    )
    imported_file = models.ForeignKey(
        "outcomes.ImportedFile", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="response_once",
                fields=["participant", "instrument", "visit", "day", "minute", "respondent"],
                nulls_distinct=False,
                violation_error_message="This form has already been saved. Open it to correct it.",
            ),
            models.CheckConstraint(
                name="response_has_a_visit_or_a_day", condition=Q(visit__isnull=False) | Q(day__isnull=False)
            ),
            models.CheckConstraint(
                name="response_not_done_has_a_reason",
                condition=(Q(status__in=["not_done", "refused"]) & ~Q(not_done_reason=""))
                | (~Q(status__in=["not_done", "refused"]) & Q(not_done_reason="")),
                violation_error_message="Say why the form was not done.",
            ),
            models.CheckConstraint(
                name="response_late_by_a_day_or_more", condition=Q(days_late__isnull=True) | Q(days_late__gte=1)
            ),
            models.CheckConstraint(
                name="response_by_proxy_stands_for_the_participant",
                condition=Q(proxy="")
                | (
                    Q(respondent__in=["", "participant"], status__in=["complete", "partial"]) & ~Q(source="participant")
                ),
                violation_error_message="A proxy answers a participant's form, on the site's own page or on paper.",
            ),
            models.CheckConstraint(
                name="response_wording_has_its_language", condition=Q(wording_version="") | ~Q(language="")
            ),
            models.UniqueConstraint(name="response_of_participant", fields=["id", "participant"]),
            SameOwner(
                name="response_at_a_visit_of_the_participant",
                through="visit",
                owner="participant",
                violation_error_message="The visit belongs to another participant. Choose one of this participant's.",
            ),
        ]


class ResponseItem(Record):
    """One answer: the coded value printed on the form, or the reason why there is none. Never both."""

    response = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="items")
    item = models.CharField(max_length=30)
    value = models.FloatField(null=True, blank=True)
    missing_reason = models.CharField(max_length=20, null=True, blank=True)  # noqa: DJ001 - null: not missing

    class Meta:
        constraints = [
            models.UniqueConstraint(name="item_once", fields=["response", "item"]),
            models.CheckConstraint(
                name="item_value_or_missing_reason",
                condition=Q(value__isnull=False, missing_reason__isnull=True)
                | Q(value__isnull=True, missing_reason__isnull=False),
                violation_error_message="Give a value, or say why there is none.",
            ),
        ]


class Score(Stamped):
    """A score computed from a response, or (imported) one that came without its items and is never recomputed."""

    response = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="scores")
    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="scores")
    name = models.CharField(max_length=60)
    number = models.FloatField(null=True)
    text = models.CharField(max_length=200, null=True)  # noqa: DJ001 - a score is a number or a text, or neither
    missing_reason = models.CharField(max_length=40, null=True)  # noqa: DJ001 - null: not missing
    scoring_version = models.CharField(max_length=20)
    imported = models.BooleanField(default=False)
    source_column = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="score_once", fields=["response", "name"]),
            models.CheckConstraint(
                name="score_value_or_missing_reason",
                condition=Q(number__isnull=False, text__isnull=True, missing_reason__isnull=True)
                | Q(number__isnull=True, text__isnull=False, missing_reason__isnull=True)
                | Q(number__isnull=True, text__isnull=True, missing_reason__isnull=False),
            ),
            models.CheckConstraint(
                name="imported_score_names_its_column", condition=Q(imported=False) | ~Q(source_column="")
            ),
            SameOwner(
                name="score_of_the_participants_response",
                through="response",
                owner="participant",
                violation_error_message="The response belongs to another participant.",
            ),
        ]
