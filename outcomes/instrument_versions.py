"""The instrument files of this installation, as rows that responses point to."""

from __future__ import annotations

from collections.abc import Iterable

from outcomes.models import InstrumentVersion, ResponseItem
from outcomes.scoring import Instrument, instrument_keys, load_instrument
from studies.acting import Actor, verb
from studies.errors import InvalidEntry, ProtocolConflict


@verb(because="instrument files loaded")
def load_instruments(user: Actor) -> list[InstrumentVersion]:
    """Register every instrument file. Safe to repeat.

    A changed file needs a new version number: its items may have moved. Where only a rule of scoring was corrected it
    keeps its version and raises `scoring_version`; what was scored by the old rule stays so until `manage.py rescore`.
    Raises ProtocolConflict for a file that changed under both its old numbers.
    """
    known = {(v.key, v.version): v for v in InstrumentVersion.objects.all()}
    new = []
    for key in instrument_keys():
        instrument = load_instrument(key)
        version = known.get((key, instrument.version))
        if version is None:
            new.append(InstrumentVersion(key=key, version=instrument.version, **_content(instrument)))
        elif version.sha256 != instrument.sha256:
            _take_correction(version, instrument)
    InstrumentVersion.objects.bulk_create(new)
    forget()
    return list(current(instrument_keys()).values())


def _content(instrument: Instrument) -> dict[str, str | bool]:
    """What a row says of a file, besides its key and version."""
    return {
        "scoring_version": instrument.scoring_version,
        "name": instrument.name,
        "arm_revealing": instrument.arm_revealing,
        "sha256": instrument.sha256,
    }


def _take_correction(version: InstrumentVersion, instrument: Instrument) -> None:
    if _numbers(instrument.scoring_version) <= _numbers(version.scoring_version):
        raise ProtocolConflict(
            f"{version.key} has changed but still says version {instrument.version}, scoring version"
            f" {instrument.scoring_version}. Raise scoring_version if a rule of scoring was corrected, else version."
        )
    gone = sorted(set(_answered_items(version)) - instrument.items.keys())
    if gone:
        raise ProtocolConflict(
            f"{version.key} lacks item {', '.join(gone)}, which responses under version {version.version} have"
            " answered. Raise its version: a correction of scoring leaves the items alone."
        )
    for name, value in _content(instrument).items():
        setattr(version, name, value)
    version.save(update_fields=list(_content(instrument)))


def _answered_items(version: InstrumentVersion) -> Iterable[str]:
    answered = ResponseItem.objects.filter(response__instrument=version, value__isnull=False)
    return answered.order_by().values_list("item", flat=True).distinct()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


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
