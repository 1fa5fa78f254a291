"""Loading a protocol file into the study: study, sites, strata, and the version itself."""

from __future__ import annotations

import hashlib

from studies.acting import Actor, verb
from studies.errors import ProtocolConflict
from studies.models import Installation, ProtocolVersion, Site, Stratum, Study
from studies.protocol import ProtocolDefinition, load


@verb(because="protocol loaded")
def load_protocol(user: Actor, *, text: str, source: str) -> ProtocolVersion:
    """Load a protocol file. Safe to repeat: the same text changes nothing.

    A changed file needs a new version number; an older version stays for the participants enrolled under it.
    Raises studies.protocol.DocumentInvalid naming every mistake with its line; ProtocolConflict.
    """
    definition = load(text, source=source)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    study = _study(definition)
    known = study.protocol_versions.filter(version=definition.study.version).first()
    if known and known.sha256 != sha256:
        raise ProtocolConflict(
            f"{source} has changed but still says version {known.version}: give it a new version number."
        )
    version = known or ProtocolVersion.objects.create(
        study=study, version=definition.study.version, source=text, sha256=sha256
    )
    _add_sites(study, definition)
    _add_strata(study, definition)
    return version


def _study(definition: ProtocolDefinition) -> Study:
    return Study.objects.get_or_create(
        code=definition.study.code,
        defaults={
            "title": definition.study.title,
            "origin": definition.study.origin,
            "time_zone": definition.study.time_zone,
            "demonstration": Installation.objects.filter(demonstration=True).exists(),
        },
    )[0]


def _add_sites(study: Study, definition: ProtocolDefinition) -> None:
    Site.objects.bulk_create(
        [
            Site(
                study=study,
                code=s.code,
                name=s.name,
                country=s.country,
                time_zone=s.time_zone,
                planned_participants=s.planned_participants,
            )
            for s in definition.sites
            if not study.sites.filter(code=s.code).exists()
        ]
    )


def _add_strata(study: Study, definition: ProtocolDefinition) -> None:
    known = set(study.strata.values_list("code", flat=True))
    Stratum.objects.bulk_create(
        [
            Stratum(study=study, code=code, levels=levels)
            for code, levels in definition.strata_levels().items()
            if code not in known
        ]
    )
