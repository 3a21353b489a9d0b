import pytest

from suture.core.student import probability, quantile


@pytest.mark.parametrize(
    ("p", "freedom", "value"),
    # A table in every textbook.
    [
        (0.95, 1, 6.314),
        (0.975, 2, 4.303),
        (0.99, 3, 4.541),
        (0.995, 5, 4.032),
        (0.975, 10, 2.228),
        (0.95, 30, 1.697),
        (0.99, 1000, 2.330),
    ],
)
def test_quantiles_are_those_of_the_tables(p: float, freedom: int, value: float) -> None:
    assert quantile(p, freedom) == pytest.approx(value, abs=5e-4)
    assert probability(quantile(p, freedom), freedom) == pytest.approx(p)
    assert probability(-quantile(p, freedom), freedom) == pytest.approx(1 - p)


@pytest.mark.parametrize(("p", "freedom"), [(0.4, 3), (1.0, 3), (0.9, 0)])
def test_there_is_no_quantile_of_nonsense(p: float, freedom: int) -> None:
    with pytest.raises(ValueError):
        quantile(p, freedom)
