"""What counts and levels are accepted, said once."""

from math import isfinite
from numbers import Real
from typing import Literal, NamedTuple, get_args


class Table(NamedTuple):
    """Responders and sizes of two arms, the active one first."""

    x1: int
    n1: int
    x0: int
    n0: int

    @property
    def p1(self) -> float:
        """Proportion in the active arm."""
        return self.x1 / self.n1

    @property
    def p0(self) -> float:
        """Proportion in the control arm."""
        return self.x0 / self.n0

    @property
    def total(self) -> int:
        """Both arms."""
        return self.n1 + self.n0

    @property
    def responders(self) -> int:
        """Responders in both arms."""
        return self.x1 + self.x0


def table(x1: float, n1: float, x0: float, n0: float) -> Table:
    """Checked counts of two arms, or ValueError naming the argument."""
    first = responders_of("x1", x1, "n1", n1)
    second = responders_of("x0", x0, "n0", n0)
    return Table(*first, *second)


def responders_of(x_name: str, x: float, n_name: str, n: float) -> tuple[int, int]:
    """Whole numbers 0 <= x <= n with n >= 1, or ValueError naming the argument."""
    for name, value in ((x_name, x), (n_name, n)):
        if not isinstance(value, Real):
            msg = f"{name} is {value!r}; allowed is a whole number."
            raise ValueError(msg)  # noqa: TRY004 whoever gives a count is told of its value
    if not (isfinite(n) and n == int(n) and n >= 1):
        msg = f"{n_name} is {n}; allowed is a whole number from 1."
        raise ValueError(msg)
    if not (isfinite(x) and x == int(x) and 0 <= x <= n):
        msg = f"{x_name} is {x}; allowed is a whole number from 0 to {n_name} = {n}."
        raise ValueError(msg)
    return int(x), int(n)


def one_of(methods: object, method: str) -> None:
    """ValueError unless the method is one of a Literal's values."""
    allowed = get_args(methods)
    if method not in allowed:
        msg = f"method is {method!r}; allowed are {', '.join(allowed)}."
        raise ValueError(msg)


DifferenceMethod = Literal["miettinen_nurminen", "mee", "newcombe", "wald"]
OddsRatioMethod = Literal["woolf", "conditional_mle", "score"]
RiskRatioMethod = Literal["log_wald", "score"]
OneSampleMethod = Literal["clopper_pearson", "wilson", "wilson_continuity", "agresti_coull", "jeffreys"]
