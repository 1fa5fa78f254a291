"""Each file of reference numbers as one function that returns its `Book` of comparisons."""

from collections.abc import Callable

from tests.validation.oracles import (
    ashar,
    counts_and_ranks,
    events,
    group_sequential,
    imputed_and_mediated,
    linear_models,
    worked_examples,
)
from tests.validation.reference import Book

BOOKS: dict[str, Callable[[], Book]] = {
    "gs_boundaries.json": group_sequential.boundaries,
    "gs_monitoring.json": group_sequential.monitoring,
    "conditional_power.json": group_sequential.conditional_power,
    "gs_estimation.json": group_sequential.estimation,
    "mmrm.json": linear_models.mixed_models,
    "ancova.json": linear_models.covariance_analyses,
    "crossover.json": linear_models.crossover,
    "ashar.json": ashar.trial,
    "two_proportions.json": counts_and_ranks.two_proportions,
    "one_proportion.json": counts_and_ranks.one_proportion,
    "stratified_proportions.json": counts_and_ranks.stratified,
    "rank_tests.json": counts_and_ranks.rank_tests,
    "blinding.json": counts_and_ranks.blinding_indices,
    "survival.json": events.time_to_event,
    "reference_based_imputation.json": imputed_and_mediated.imputations,
    "mediation.json": imputed_and_mediated.mediated,
    "domain_arithmetic.json": worked_examples.arithmetic,
    "instrument_scoring.json": worked_examples.questionnaires,
}
