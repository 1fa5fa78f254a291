import numpy as np
import pytest
from pydantic import ValidationError

from analysis.simulation.latent import correlation
from analysis.simulation.parameters import Parameters, load_parameters, scenario_names

ALL = (
    "default", "null_global", "null_dissociation", "mirror", "unblinding", "mnar", "site_het",
    "two_to_one", "small", "mediation", "confounded_mediation",
)  # fmt: skip


def test_every_scenario_of_the_model_loads_and_names_its_truth():
    assert scenario_names() == ALL
    assert all(load_parameters(name).truth for name in ALL)


def test_a_scenario_changes_what_it_names_and_nothing_else():
    changed = load_parameters("null_dissociation").model_dump()
    default = load_parameters().model_dump()
    assert changed["latent"]["effect"].pop("Q") == {"size": 0.9, "half_life": 35}
    default["latent"]["effect"].pop("Q")
    for values in (changed, default):
        values.pop("scenario"), values.pop("truth")
    assert changed == default


def test_an_unknown_scenario_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match=r"'hope'.*null_global"):
        load_parameters("hope")


def test_a_number_the_model_does_not_know_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs"):
        Parameters.model_validate(load_parameters().model_dump() | {"luck": 1})


def test_the_person_correlation_has_the_published_eigenvalues(parameters):
    # Oracle: the model's specification prints .41 .61 .96 2.02.
    found = np.linalg.eigvalsh(correlation(parameters.latent.person_correlation))
    assert found == pytest.approx([0.41, 0.61, 0.96, 2.02], abs=5e-3)
