from checks.static.scan import scan
from exercises.places import REFERENCE


async def test_the_reference_gives_no_false_alarm() -> None:
    report = await scan(REFERENCE / "fastapi", None)
    grave = [f for f in report.findings if f.severity in ("high", "medium")]
    assert grave == []
    assert report.failures == ()
