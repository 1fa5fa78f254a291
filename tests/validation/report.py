"""docs/validation.md, written from comparisons and findings."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.validation.finding import Finding
from tests.validation.printed import Figure
from tests.validation.reference import Book, Comparison, Measure

ORACLES = "## Reference numbers"
SIMULATIONS = "## Simulations"

_HEAD = """# Validation

Written by `make validate`; not edited by hand. Every number that another program, a published table or a worked example
gives is compared with ours, and every simulation is run; the suite repeats the comparisons and refuses this file when
its figures are no longer those. Whose numbers they are, and with which tolerance they come, is in
`tests/data/PROVENANCE.md`.
"""

_UNEQUAL = """## Reference numbers that are not what they are said to be

Three kinds were met in other terms than those of their description. Each is compared, with the difference in terms
named; our functions keep to the definition.

- **Predictive power with looks to come** (`conditional_power.json`, 20 numbers `predictive_power_flat` of the kind
  "all remaining looks"). Said to be the average of conditional power over the posterior of the drift under a flat
  prior. The numbers weight by the square of the posterior density, which is no average: with one look left they
  contradict the closed form in the same file. Ours times sqrt(information) / (2 sqrt pi), with a prior that turns the
  posterior into its own square, is the number given, within 1e-4. `predictive_power` itself is tested against the
  closed form and against an integral written out.
- **Adjusted means of analyses of covariance** (`ancova.json`). Said to be at the mean of numeric covariates over the
  rows fitted. The numbers are at the mean over all rows given, those without a response too. `ancova.fit` does so by
  default; `means_over="rows_fitted"` is the other. Contrasts are the same in both.
- **Direct and total effects with an interaction** (`mediation.json`, md-p003: `ade_control`, `ade_treated`, `total`).
  The reference draws an error for every predicted mediator; what is left of these draws in the direct effect is the
  interaction times the error of a mean, of which three standard errors are allowed.
"""


@dataclass(frozen=True)
class Line:
    """A row of the table: one requirement on one function."""

    measure: Measure
    files: tuple[str, ...]
    cases: int
    numbers: int
    worst: Comparison

    @property
    def met(self) -> bool:
        """Whether every number of it is met."""
        return self.worst.met


def lines(books: Iterable[Book]) -> list[Line]:
    """Comparisons gathered by requirement; the worst is the one nearest to its tolerance, or beyond."""
    by_measure: dict[Measure, list[Comparison]] = defaultdict(list)
    for book in books:
        for comparison in book.comparisons:
            by_measure[comparison.measure].append(comparison)
    return [
        Line(
            measure,
            tuple(dict.fromkeys(each.file for each in found)),
            len({(each.file, *each.place[:2]) for each in found}),
            len(found),
            max(found, key=_share),
        )
        for measure, found in by_measure.items()
    ]


def _share(comparison: Comparison) -> float:
    """How much of its tolerance a comparison uses up."""
    if comparison.tolerance == 0:
        return float("inf") if comparison.difference else 0.0
    return comparison.difference / comparison.tolerance


def written(books: Sequence[Book], printed: Sequence[Figure], findings: Sequence[Finding]) -> str:
    """The whole file."""
    parts = [
        _HEAD,
        verdict(books, findings),
        oracle_table(books),
        _left_out(books),
        _UNEQUAL,
        _differences(printed),
        simulation_table(findings),
    ]
    return "\n".join(parts)


def verdict(books: Sequence[Book], findings: Sequence[Finding]) -> str:
    """The first paragraph: how much is compared and met."""
    comparisons = [each for book in books for each in book.comparisons]
    missed = sum(not each.met for each in comparisons)
    judged = [each for each in findings if each.verdict != "reported"]
    unmet = [each for each in judged if each.verdict != "met"]
    return (
        f"**{len(comparisons):,} reference numbers in {len(books)} files: "
        f"{'all met within their tolerance' if not missed else f'{missed} NOT MET'}. "
        f"{len(judged)} figures of simulations have a target: "
        f"{'all met' if not unmet else f'{len(unmet)} NOT MET'}; {len(findings) - len(judged)} more are reported.**\n"
    )


def oracle_table(books: Sequence[Book]) -> str:
    """For each function: the requirement, reference, cases, numbers, largest difference, tolerance, verdict."""
    rows = [
        ORACLES,
        "",
        "One row per requirement. The difference shown is the one that uses up most of its tolerance; `rel` is",
        "relative to the reference number, `abs` in its unit. p-values below 1e-9 are compared as if they were 1e-9.",
        "",
        "| function | requirement | reference | cases | numbers | largest difference | tolerance | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for line in lines(books):
        kind = "rel" if line.worst.relative else "abs"
        rows.append(
            f"| `{line.measure.function}` | {line.measure.requirement} | {line.measure.reference} | {line.cases} | "
            f"{line.numbers} | {_rounded(line.worst.difference)} {kind} | {line.worst.tolerance:.1e} {kind} | "
            f"{'met' if line.met else 'NOT MET'} |"
        )
    return "\n".join([*rows, ""])


def _rounded(difference: float) -> str:
    """One digit: the second depends on the machine."""
    if difference == 0:
        return "0"
    # What is below the rounding of doubles differs from one processor to the next.
    return "< 1e-12" if difference < 1e-12 else f"{difference:.0e}"


def _left_out(books: Sequence[Book]) -> str:
    rows = ["### Numbers in the files that are not compared", ""]
    rows += [f"- `{book.file}`, `{place}`: {why}." for book in books for place, why in book.left_out.items()]
    return "\n".join([*rows, ""])


def _differences(printed: Sequence[Figure]) -> str:
    rows = [
        "## Published trials: what was printed, and what the rows give",
        "",
        "Ashar et al. (2022), JAMA Psychiatry 79:13-23; Vickers et al. (2004), BMJ 328:744. Compared as printed, to",
        "the last digit printed; below the table, why the rest differs.",
        "",
        "| trial | figure | printed | from the rows | |",
        "|---|---|---|---|---|",
    ]
    for each in printed:
        same = "as printed" if each.same else "differs"
        rows.append(f"| {each.trial} | {each.name} | {each.printed} | {each.found} | {same} |")
    rows.append("")
    rows += [f"- **{each.name}** ({each.trial}): {each.why}" for each in printed if not each.same]
    return "\n".join([*rows, ""])


def simulation_table(findings: Sequence[Finding]) -> str:
    """Every finding with its Monte Carlo error."""
    rows = [
        SIMULATIONS,
        "",
        "A figure with a target is met when it lies within three Monte Carlo errors of it (DOMAIN 6.5: so that a right",
        "program is not failed by chance).",
        "",
        "| simulation | requirement | estimate | Monte Carlo error | target | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for each in findings:
        target = "" if each.target is None else f"{each.target:.4f}"
        rows.append(
            f"| {each.name} | {each.requirement} | {each.estimate:.4f} | {each.monte_carlo_error:.4f} | {target} | "
            f"{each.verdict} |"
        )
    return "\n".join([*rows, ""])
