from hypothesis import given
from hypothesis import strategies as st

from checks.load import figures
from checks.load.figures import percentile
from checks.load.profile import PROFILES, Driven, Results, Sample, Side, slices


def results(counts: list[tuple[Side, int]], problem: str = "") -> Results:
    """One-second slices in pairs, with so many answers each."""
    driven = [
        Driven(side=side, pair=index // 2, started=float(index), deadline=index + 1.0)
        for index, (side, _) in enumerate(counts)
    ]
    samples = [
        Sample(
            slice=index,
            operation="list",
            ended=index + 0.5,
            seconds=0.01 * (n + 1),
            problem=problem,
        )
        for index, (_, many) in enumerate(counts)
        for n in range(many)
    ]
    return Results(slices=tuple(driven), samples=tuple(samples), failure=None, cpu=0.0)


def test_the_ratio_is_the_median_of_pairs() -> None:
    told = results(
        [
            ("submission", 10),
            ("reference", 20),
            ("reference", 10),
            ("submission", 9),
            ("submission", 1),
            ("reference", 50),
        ]
    )
    report = figures.report(PROFILES["quick"], told)
    assert report.ratio == 0.5
    assert report.submission.slices == (10.0, 9.0, 1.0)
    assert report.reference.requests == 80


def test_wrong_answers_are_no_throughput() -> None:
    report = figures.report(
        PROFILES["quick"], results([("submission", 5), ("reference", 5)], problem="503 busy")
    )
    assert report.submission.throughput == 0
    assert (report.submission.errors, report.submission.p50) == (5, 0)
    assert report.submission.problems == ("list: 503 busy (5)",)
    assert report.ratio == 0


def test_nothing_measured_is_no_crash() -> None:
    nothing = Results(slices=(), samples=(), failure=None, cpu=0)
    report = figures.report(PROFILES["quick"], nothing, failure="Nothing came.")
    assert report.failure == "Nothing came."


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_has_its_share_at_or_below_it(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


@given(st.integers())
def test_every_pair_drives_both_sides_once(seed: int) -> None:
    order = slices(PROFILES["full"], seed)
    assert order == slices(PROFILES["full"], seed)
    for pair in [None, *range(PROFILES["full"].pairs)]:
        assert {s.side for s in order if s.pair == pair} == {"submission", "reference"}
        assert sum(s.pair == pair for s in order) == 2
