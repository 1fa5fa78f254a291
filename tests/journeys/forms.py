"""The forms of a page, as a person finds them: what they would send, and what there is to choose from."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """A form that posts: where to, what it would send if nothing were typed, its fields, and the values of choices."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    choices: dict[str, list[str]] = field(default_factory=dict)


def forms_of(page: str) -> list[Form]:
    """The forms of a page that post, from the top."""
    parser = _Parser()
    parser.feed(page)
    return parser.found


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = about.get("method", "").lower() == "post"
            if self._inside:
                self.found.append(Form(about.get("action", "")))
        name = about.get("name")
        if not (self._inside and name and tag in ("input", "select", "textarea", "button")):
            return
        form, chosen = self.found[-1], about.get("type") in ("radio", "checkbox")
        form.names.add(name)
        if tag == "input" and chosen:
            form.choices.setdefault(name, []).append(about.get("value", ""))
        if tag == "input" and (not chosen or "checked" in about):
            form.fields[name] = about.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
