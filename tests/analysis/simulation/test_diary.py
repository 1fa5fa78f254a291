import numpy as np
import pytest

from analysis.simulation.diary import diary_days, rate_days
from analysis.simulation.latent import DAYS


def test_the_diary_is_asked_daily_to_day_35_and_in_the_week_before_the_late_visits(design, parameters):
    expected = [*range(-7, 36), *range(49, 56), *range(77, 84)]
    assert list(diary_days(design, parameters)) == expected


def test_ratings_are_whole_ordered_and_centred_on_the_published_line(parameters):
    ratings = [rate_days(3, i, np.zeros((len(DAYS), 4)), parameters) for i in range(60)]
    for one in ratings:
        assert (one.least <= one.average).all()
        assert (one.average <= one.worst).all()
        assert set(np.unique(one.average)) <= set(range(11))
    # Oracle: 6.5 + 1.6 x 0 + N(0, .7), rounded: SD sqrt(.49 + 1/12).
    average = np.array([one.average for one in ratings])
    assert average.mean() == pytest.approx(6.5, abs=0.05)
    assert average.std() == pytest.approx(np.sqrt(0.49 + 1 / 12), abs=0.05)


def test_diaries_are_written_in_the_evening_in_full_days_of_the_site(trial):
    diary = trial.screening(0).diary + trial.course(0, "control").diary
    assert all(0 <= (entry.entered_at.date() - entry.on).days <= 1 for entry in diary)
    assert [entry.day for entry in diary] == sorted(entry.day for entry in diary)
    # A tenth of the days is missing completely at random.
    assert 40 < len(diary) < 57
