"""The course of a group, arms pooled: means, responders and important differences per measure and time.

Nothing here knows an arm. A group holds only participants whose own values the caller may read, so that its numbers
tell nothing that was not open to the caller one by one, and measures that tell the arm are in no group at all. Below
FEWEST values a time shows their number only (docs/instrument-files.md, "Groups").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean

from outcomes.change import Mean, Scale, improvement_in, mean_of, responds_in, spread_of
from outcomes.course import Axis, Point, axis_of, courses_of
from outcomes.measures import Measure, measures_of, scale_of
from outcomes.scoring.instrument import ImportantDifference
from studies.models import Participant, Study, User
from studies.permissions import visible_participants

# Fewer values are not summarised: a mean of one is that one's value under another name.
FEWEST = 5
# So many baseline values make a standard deviation that changes are given in.
FEWEST_FOR_SPREAD = 10


@dataclass(frozen=True, slots=True)
class Share:
    """How many of n. None where n is below FEWEST."""

    n: int
    count: int | None


@dataclass(frozen=True, slots=True)
class GroupPoint:
    """One time of one measure: the mean of the values, of the changes from baseline, and who responded."""

    visit: str
    day: float
    baseline: bool
    value: Mean
    change: Mean
    responder_30: Share
    responder_50: Share
    responder_sd: Share
    better: Share
    worse: Share


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One measure over time. `spread`: the standard deviation of the pooled baseline, None where it is too small."""

    measure: Measure
    higher_is: str
    important: ImportantDifference | None
    spread: float | None
    points: tuple[GroupPoint, ...]


@dataclass(frozen=True, slots=True)
class GroupCourse:
    """The course of the randomised participants of a study that a person may see, at one site or all."""

    participants: int
    axis: Axis
    lines: tuple[GroupLine, ...]


def group_course(user: User, *, study: Study, site: str = "") -> GroupCourse:
    """The pooled course of a study's randomised participants. site: the code of one, or empty for all in sight."""
    people = _followed(study)
    courses = courses_of(people)
    seen = visible_participants(user).filter(study=study)
    if site:
        seen = seen.filter(site__code=site)
    keys = set(seen.values_list("pk", flat=True))
    return _pooled([person for person in people if person.pk in keys], courses, _spreads(courses.values()))


def baseline_spreads(study: Study) -> dict[str, float]:
    """Per measure the standard deviation of the baseline of everybody randomised, at all sites and of both arms.

    Baselines were measured before the drug: pooled over sites that a person may not see they tell nothing of an arm.
    """
    return _spreads(courses_of(_followed(study)).values())


def _followed(study: Study) -> list[Participant]:
    """Those who were randomised; of a study that was finished elsewhere, and has no allocations here, all."""
    # A protocol version's text is long: read once, not once a participant.
    once = ("site", "protocol_version")
    people = Participant.objects.filter(study=study).select_related("infusion").prefetch_related(*once)
    if study.origin != Study.Origin.IMPORTED:
        people = people.filter(allocation__isnull=False)
    found = list(people.order_by("pk"))
    for person in found:
        person.study = study
    return found


def _spreads(courses: Iterable[Iterable[Point]]) -> dict[str, float]:
    values: dict[str, list[float]] = defaultdict(list)
    for point in chain.from_iterable(courses):
        if point.baseline:
            values[point.measure].append(point.value)
    spreads = {key: spread_of(found) for key, found in values.items() if len(found) >= FEWEST_FOR_SPREAD}
    return {key: spread for key, spread in spreads.items() if spread}


def _pooled(
    people: Sequence[Participant], courses: Mapping[int, Sequence[Point]], spreads: Mapping[str, float]
) -> GroupCourse:
    if not people:
        return GroupCourse(0, "Days from the infusion", ())
    versions = {person.protocol_version_id: person.protocol_version for person in people}
    measures = {measure.key: measure for version in versions.values() for measure in measures_of(version)}
    found: dict[str, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for person in people:
        for point in courses[person.pk]:
            found[point.measure][point.visit].append(point)
    lines = (_line(measure, found[measure.key], spreads.get(measure.key)) for measure in measures.values())
    axis = axis_of(people[0]) if people[0].study.origin == Study.Origin.IMPORTED else "Days from the infusion"
    return GroupCourse(len(people), axis, tuple(line for line in lines if line.points))


def _line(measure: Measure, found: Mapping[str, Sequence[Point]], spread: float | None) -> GroupLine:
    scale = scale_of(measure)
    points = (_point(visit, points, scale, spread) for visit, points in found.items())
    in_time = tuple(sorted(points, key=lambda point: point.day))
    return GroupLine(measure, scale.higher_is, scale.important, spread, in_time)


def _point(visit: str, points: Sequence[Point], scale: Scale, spread: float | None) -> GroupPoint:
    changes = [point.change for point in points if point.change is not None]
    important = [change.important for change in changes]
    better = [improvement_in(change, scale, spread) for change in changes]
    return GroupPoint(
        visit,
        round(fmean(point.day for point in points), 1),
        any(point.baseline for point in points),
        mean_of([point.value for point in points], at_least=FEWEST),
        mean_of([change.change for change in changes], at_least=FEWEST),
        _share(change.responder_30 for change in changes),
        _share(change.responder_50 for change in changes),
        _share(None if each is None else responds_in(each) for each in better),
        _share(None if verdict is None else verdict == "better" for verdict in important),
        _share(None if verdict is None else verdict == "worse" for verdict in important),
    )


def _share(answers: Iterable[bool | None]) -> Share:
    known = [answer for answer in answers if answer is not None]
    return Share(len(known), sum(known) if len(known) >= FEWEST else None)
