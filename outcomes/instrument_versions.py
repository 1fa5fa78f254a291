"""The instrument files of this installation, as rows that responses point to."""

from __future__ import annotations

from collections.abc import Iterable

from outcomes.models import InstrumentVersion
from outcomes.scoring import instrument_keys, load_instrument
from studies.acting import Actor, verb
from studies.errors import InvalidEntry, ProtocolConflict


@verb(because="instrument files loaded")
def load_instruments(user: Actor) -> list[InstrumentVersion]:
    """Register every instrument file. Safe to repeat; a changed file needs a new version number.

    Raises ProtocolConflict for a file that changed under its old version.
    """
    known = {(v.key, v.version): v for v in InstrumentVersion.objects.all()}
    new = []
    for key in instrument_keys():
        instrument = load_instrument(key)
        version = known.get((key, instrument.version))
        if version is None:
            new.append(_row_of(key))
        elif version.sha256 != instrument.sha256:
            raise ProtocolConflict(f"{key} has changed but still says version {instrument.version}: raise its version.")
    InstrumentVersion.objects.bulk_create(new)
    forget()
    return list(current(instrument_keys()).values())


def _row_of(key: str) -> InstrumentVersion:
    instrument = load_instrument(key)
    return InstrumentVersion(
        key=key,
        version=instrument.version,
        scoring_version=instrument.scoring_version,
        name=instrument.name,
        arm_revealing=instrument.arm_revealing,
        sha256=instrument.sha256,
    )


# Rows of this process's own instrument files: they never change while it runs.
_current: dict[str, InstrumentVersion] = {}


def current(keys: Iterable[str]) -> dict[str, InstrumentVersion]:
    """The registered version of each instrument file. Raises InvalidEntry for an unknown instrument."""
    wanted = set(keys)
    if unknown := wanted - set(instrument_keys()):
        raise InvalidEntry(f"There is no instrument {sorted(unknown)[0]!r}.", field="instrument")
    missing = wanted - _current.keys()
    if missing:
        found = {(v.key, v.version): v for v in InstrumentVersion.objects.filter(key__in=missing)}
        for key in missing:
            version = found.get((key, load_instrument(key).version))
            if version is None:
                raise InvalidEntry(f"Instrument {key} is not loaded: run load_instruments.", field="instrument")
            _current[key] = version
    return {key: _current[key] for key in wanted}


def forget() -> None:
    """Read the rows anew at the next use."""
    _current.clear()
