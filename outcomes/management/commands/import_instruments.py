from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outcomes.interchange.apart import read_apart
from outcomes.interchange.definitions import read_definitions
from outcomes.interchange.document import FORMATS, Document
from outcomes.interchange.instrument_drafts import Draft, as_wording, as_yaml, drafts, languages
from outcomes.interchange.reading import Brought, read
from outcomes.interchange.sources import open_source
from outcomes.scoring.checking import check_instrument
from studies.errors import TrialError


class Command(BaseCommand):
    help = "Make drafts of instrument files from the forms of REDCap, ODM-XML 1.3 or FHIR; with --out, write them."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--out", type=Path, help="folder for the drafts; without it nothing is written")
        parser.add_argument("--permission", default="", help="who allows the wording's use; its file is written then")
        parser.add_argument("--language", default="en", help="of texts that do not say their language")

    def handle(self, *_: Any, file: Path, out: Path | None, permission: str, language: str, **__: Any) -> None:
        try:
            brought = Brought(open_source(file), project=file.stem)
            read_apart(brought)
            document = read(brought)
            if document.study is None:
                raise CommandError(f"{file.name} defines no forms.")
            made = drafts(read_definitions(document.study, document.version_oid))
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        except TrialError as error:
            raise CommandError(str(error)) from error
        files: dict[str, str] = {}
        self.stdout.write(f"{FORMATS[document.format]}: {document.name} (SHA-256 {document.sha256})")
        for draft in made:
            self._describe(draft)
            files |= _files(draft, document, permission, language)
        for remark in document.remarks:
            self.stdout.write(f"  note, {remark}")
        self._write(out, files)

    def _describe(self, draft: Draft) -> None:
        scores = ", ".join(draft.scores) or "none"
        self.stdout.write(f"{draft.key}: {len(draft.items)} items, scores: {scores}; {len(draft.left_out)} left out")
        for each in draft.left_out:
            self.stdout.write(f"  left out, {each.item}: {each.why}")

    def _write(self, out: Path | None, files: dict[str, str]) -> None:
        if out is None:
            self.stdout.write("Nothing was written. Give --out FOLDER to write the drafts.")
            return
        changed = [name for name, text in files.items() if (out / name).exists() and _read(out / name) != text]
        if changed:
            raise CommandError(
                f"{out} holds {', '.join(changed)} with another content; nothing was written. Compare them, and move"
                " those away that shall be drafted anew."
            )
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8")
            self.stdout.write(f"written: {out / name}")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _files(draft: Draft, document: Document, permission: str, language: str) -> dict[str, str]:
    """The files of a draft by name; none for a form without items."""
    if not draft.items:
        return {}
    name = f"{draft.key}.yaml"
    text = as_yaml(draft, source=document.name, sha256=document.sha256)
    check_instrument(text, source=name)
    return {name: text, **dict(_wording(draft, permission, language))}


def _wording(draft: Draft, permission: str, language: str) -> Iterator[tuple[str, str]]:
    for of_language in languages(draft) if permission.strip() else ():
        tag = of_language or language
        text = as_wording(draft, of_language=of_language, language=tag, permission=permission)
        yield f"{draft.key}.wording.{tag}.yaml", text
