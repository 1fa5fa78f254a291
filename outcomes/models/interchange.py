"""Studies and values that came from other systems, kept as they came (docs/adr/0012-files-of-other-systems.md)."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from studies.models import Stamped

_OID = 255


class ImportedDefinitions(Stamped):
    """What a file defines (events, forms, items, codes), in ODM's terms and whole. Never changed; the newest holds."""

    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="imported_definitions")
    imported_file = models.ForeignKey("outcomes.ImportedFile", on_delete=models.PROTECT, related_name="definitions")
    study_oid = models.CharField(max_length=_OID)
    version_oid = models.CharField(max_length=_OID)
    sha256 = models.CharField(max_length=64, help_text="Of the content without layout")
    content = models.JSONField(help_text="ODM's Study element")
    beside = models.JSONField(help_text="Users, locations, reference data")
    about = models.JSONField(help_text="What the file says of itself")

    class Meta:
        verbose_name = "imported definitions"
        verbose_name_plural = "imported definitions"
        constraints = [models.UniqueConstraint(name="imported_definitions_once", fields=["study", "sha256"])]

    def __str__(self) -> str:
        return self.version_oid


class ImportedCell(Stamped):
    """One value as it stood in a file, at its address there. Never changed: a correction is a row that replaces it.

    Without an item it is what the file says of a container besides its values. It is no answer to an instrument:
    those come of it by a mapping, through the same verbs as every other answer.
    """

    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="imported_cells")
    imported_file = models.ForeignKey("outcomes.ImportedFile", on_delete=models.PROTECT, related_name="cells")
    subject = models.CharField(max_length=_OID)
    event = models.CharField(max_length=_OID, blank=True)
    event_repeat = models.CharField(max_length=_OID, blank=True)
    form = models.CharField(max_length=_OID, blank=True)
    form_repeat = models.CharField(max_length=_OID, blank=True)
    item_group = models.CharField(max_length=_OID, blank=True)
    item_group_repeat = models.CharField(max_length=_OID, blank=True)
    item = models.CharField(max_length=_OID, blank=True)
    tag = models.CharField(max_length=40, help_text="ODM's element")
    value = models.TextField(null=True)  # noqa: DJ001 - null: the file says that there is none
    written = models.TextField(blank=True, help_text="What stood in the file, where it was read as something else")
    doubt = models.CharField(max_length=500, blank=True, help_text="The rule that it breaks")
    beside = models.JSONField(null=True, help_text="Audit record, annotations and the like")
    line = models.PositiveIntegerField(help_text="Row or line of the file")
    removed = models.BooleanField(default=False)
    replaces = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="replaced_by")
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="imported_cell_once",
                fields=[
                    "study",
                    "subject",
                    "event",
                    "event_repeat",
                    "form",
                    "form_repeat",
                    "item_group",
                    "item_group_repeat",
                    "item",
                ],
                condition=Q(replaces__isnull=True),
            ),
            models.CheckConstraint(
                name="imported_cell_is_replaced_with_a_reason",
                condition=Q(replaces__isnull=True, reason="") | (Q(replaces__isnull=False) & ~Q(reason="")),
                violation_error_message="Give the reason for the change.",
            ),
            models.CheckConstraint(
                name="imported_cell_does_not_replace_itself",
                condition=Q(replaces__isnull=True) | ~Q(replaces=F("id")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.item}"


class ImportReport(Stamped):
    """What an import took, changed and left out, as it was told then. Never changed."""

    imported_file = models.OneToOneField("outcomes.ImportedFile", on_delete=models.PROTECT, related_name="report")
    format = models.CharField(max_length=20)
    content = models.JSONField()

    def __str__(self) -> str:
        return self.imported_file.name


class AnswersMapping(Stamped):
    """Which values of an imported study are answers to instruments of a study here. Never changed; the newest holds."""

    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="answers_mappings")
    sha256 = models.CharField(max_length=64, help_text="Of the content")
    content = models.JSONField(help_text="As a mapping file has it")

    def __str__(self) -> str:
        return f"{self.study} {self.sha256[:8]}"


class AnswersReport(Stamped):
    """What became answers of an imported study by a mapping, and what was left out, as told then. Never changed."""

    mapping = models.ForeignKey(AnswersMapping, on_delete=models.PROTECT, related_name="reports")
    target = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="answers_reports")
    content = models.JSONField()

    def __str__(self) -> str:
        return f"{self.mapping} into {self.target}"


class PendingImport(models.Model):
    """A file that was brought and not yet taken: its difference is looked at first. Not data; gone when decided."""

    user = models.ForeignKey("studies.User", on_delete=models.CASCADE, related_name="pending_imports")
    study_code = models.SlugField(max_length=20)
    attestation = models.TextField(blank=True)
    options = models.JSONField(default=dict)
    brought_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.study_code


class PendingFile(models.Model):
    """One file of a pending import, as it was brought."""

    pending = models.ForeignKey(PendingImport, on_delete=models.CASCADE, related_name="contents")
    role = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(name="pending_file_once", fields=["pending", "role"])]

    def __str__(self) -> str:
        return self.name
