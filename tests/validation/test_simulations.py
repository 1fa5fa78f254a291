"""A small run of the simulations of `make validate`, so that the suite notices when one cannot run or is far off."""

from tests.validation import simulations


def test_the_null_trial_rejects_about_as_often_as_it_may():
    findings = simulations.simulate_null(200, 5)
    assert [each.verdict for each in findings] == ["met", "reported", "reported", "reported"]
    assert sum(each.estimate for each in findings[1:]) == findings[0].estimate


def test_intervals_of_a_small_trial_cover_about_as_often_as_they_must():
    findings = simulations.simulate_coverage(60, trials=200, seed=5)
    assert [each.verdict for each in findings] == ["met", "met"]
    # Kenward and Roger's standard error is never the smaller one here.
    assert findings[1].estimate >= findings[0].estimate
    assert 15 <= float(findings[0].name.split("n = 60, ")[1].split(" %")[0]) <= 25
