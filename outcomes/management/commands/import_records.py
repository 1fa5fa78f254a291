from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from outcomes.interchange.answers import take_answers
from outcomes.interchange.answers_planning import AnswersPlan, plan_answers
from outcomes.interchange.planning import Plan, plan, refuse_unreadable
from outcomes.interchange.reading import Brought
from outcomes.interchange.records_mapping import RecordsMapping, read_mapping
from outcomes.interchange.reporting import described, report_of
from outcomes.interchange.sources import open_source
from outcomes.interchange.taking import Choices, take
from studies.acting import Program
from studies.errors import TrialError
from studies.models import User
from studies.protocol import DocumentInvalid


class Command(BaseCommand):
    help = "Show what a file of another system (ODM-XML 1.3, REDCap CSV, FHIR) brings; with --take, take it."
    # They load every page and what it draws: twice the memory that a file is promised to need.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--study", required=True, help="the imported study that it goes into; begun if it is new")
        parser.add_argument("--dictionary", type=Path, help="REDCap's data dictionary, for its records")
        parser.add_argument("--events", type=Path, help="REDCap's list of events")
        parser.add_argument("--mapping", type=Path, help="what cannot be seen in the file, and which items are answers")
        parser.add_argument("--attested-by", default="", help="who answers for the consents of a study that is new")
        parser.add_argument("--take", action="store_true", help="take it; without this nothing is written")
        parser.add_argument("--changed", choices=("refuse", "correct", "leave"), default="refuse")
        parser.add_argument(
            "--refused", choices=("refuse", "leave"), default="refuse", help="forms that cannot be answers here"
        )
        parser.add_argument("--doubtful", choices=("refuse", "keep", "leave"), default="refuse")
        parser.add_argument(
            "--as", dest="user", default="", help="who enters mapped answers: a member of the site's staff"
        )
        parser.add_argument("--reason", default="", help="why stored values are corrected, or doubtful ones kept")

    def handle(self, *_: Any, **given: Any) -> None:
        if settings.DB_ROLE != "app":
            raise CommandError("The open side imports: set DB_ROLE=app.")
        try:
            mapping = read_mapping(given["mapping"]) if given["mapping"] else RecordsMapping()
            brought = _brought(given, mapping)
            refuse_unreadable(brought, study_code=given["study"])
            self._run(brought, mapping, given)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise CommandError("Mapping files are written in UTF-8.") from error
        except (TrialError, DocumentInvalid) as error:
            raise CommandError(str(error)) from error

    def _run(self, brought: Brought, mapping: RecordsMapping, given: dict[str, Any]) -> None:
        choices = Choices(changed=given["changed"], doubtful=given["doubtful"])
        if not given["take"]:
            planned = plan(brought, study_code=given["study"])
            self._show(planned, plan_answers(planned.document, mapping), choices)
            return
        # Values and the answers that are made of them: both or neither.
        with transaction.atomic():
            taken = take(
                Program("import_records"),
                brought=brought,
                study_code=given["study"],
                attestation=given["attested_by"],
                choices=choices,
                reason=given["reason"],
                progress=self._progress,
            )
            self.stdout.write("\n".join(described(taken.report)))
            if mapping.answers is not None:
                self._take_answers(brought, mapping, given)
        self.stdout.write("Taken." if taken.new else "This file was taken before; its values were not changed.")

    def _progress(self, done: int, of: int) -> None:
        self.stderr.write(f"{done:,} of {of:,} values")

    def _take_answers(self, brought: Brought, mapping: RecordsMapping, given: dict[str, Any]) -> None:
        answers = take_answers(
            _person(given["user"]),
            document=plan(brought, study_code=given["study"]).document,
            mapping=mapping,
            changed=given["changed"],
            refused=given["refused"],
            reason=given["reason"],
        )
        self.stdout.write(_answers(answers))

    def _show(self, planned: Plan, answers: AnswersPlan, choices: Choices) -> None:
        report = report_of(planned, changed=choices.changed, doubtful=choices.doubtful, reason="")
        self.stdout.write("\n".join(described(report)))
        if not answers.is_nothing or answers.equal or answers.refused:
            self.stdout.write(_answers(answers))
        if planned.is_nothing and answers.is_nothing:
            self.stdout.write("Everything in it is here already. Nothing would be written.")
        else:
            self.stdout.write("Nothing was written. Give --take to take it.")


def _answers(answers: AnswersPlan) -> str:
    counts = f"{len(answers.new)} forms new, {len(answers.changed)} changed, {len(answers.equal)} equal"
    refused = [f"  refused, {refusal}" for refusal in answers.refused]
    return "\n".join([f"answers: {counts}, {answers.left_out} refused", *refused])


def _person(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError("Answers are entered by a person: name a member of the site's staff with --as.")
    return user


def _brought(given: dict[str, Any], mapping: RecordsMapping) -> Brought:
    dictionary, events = (open_source(given[role]) if given[role] else None for role in ("dictionary", "events"))
    return Brought(file=open_source(given["file"]), dictionary=dictionary, events=events, options=mapping.options)
