"""The role files hold every requirement of the postings, and a wrong file is one clear sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from scoring.competencies import competencies, implied
from scoring.role import RoleError, load_role, role_ids

if TYPE_CHECKING:
    from pathlib import Path

# The lines of the postings: id, kind, and whether automatic evidence speaks about it.
POSTINGS = {
    "techflow": """
        experience essential ask | go essential auto | distributed-patterns essential auto,review
        brokers-and-sql essential auto | kubernetes essential review,ask | testing essential tests
        writing essential rubric | throughput duty auto | lifecycle duty rubric,ask
        compliance duty auto,review | exactly-once duty auto | resilience duty auto,rubric
        mentoring duty review,rubric | on-call duty ask | fintech desirable ask
        observability desirable auto,ask | delivery desirable review,ask
        open-source desirable ask""",
    "innovatetech-london": """
        experience essential ask | python essential auto,tests
        microservices essential auto,review | databases essential auto | cloud essential ask
        high-traffic essential auto,ask | api-design essential auto,review
        containers essential review,ask | debugging essential auto | communication essential rubric
        rest-performance duty auto | security-compliance duty auto
        design-leadership duty rubric,review | collaboration duty ask | fintech desirable ask
        events desirable auto | observability desirable auto,ask | open-source desirable ask
        delivery desirable review,ask""",
    "innovatetech-sf": """
        experience essential ask | language essential auto,tests | frameworks essential auto
        rest-microservices essential auto,review | sql essential auto | cloud essential ask
        distributed essential auto,review | containers essential review,ask
        problem-solving essential auto | communication essential rubric | degree essential ask
        high-throughput duty auto | clean-tested-code duty tests,rubric
        leadership duty review,rubric | documentation duty rubric,ask | fintech desirable ask
        events desirable auto | nosql desirable ask | observability desirable auto,ask
        infrastructure desirable review,ask | open-source desirable ask | graphql desirable ask
        security desirable auto""",
    "somnio": """
        experience essential ask | frameworks essential auto,rubric
        fundamentals essential rubric,review | distributed-patterns essential auto,rubric
        security-review essential review,auto | defensive essential auto
        api-design essential auto,review | transactions essential auto | events essential auto
        testing essential tests | communication essential rubric | fintech essential auto,ask
        salesforce desirable ask | observability desirable auto,ask
        delivery desirable review,ask | cloud-security desirable review,ask""",
}


@pytest.mark.parametrize("role", POSTINGS)
def test_a_role_holds_every_line_of_its_posting(role: str) -> None:
    lines = re.split(r"[|\n]", POSTINGS[role])
    expected = [tuple(line.split()) for line in lines if line.strip()]
    found = [(one.id, one.kind, ",".join(one.evidence)) for one in load_role(role).requirements]
    assert found == expected


def test_there_are_exactly_the_four_roles() -> None:
    assert role_ids() == tuple(sorted(POSTINGS))


@pytest.mark.parametrize("role", POSTINGS)
def test_every_requirement_has_a_question_of_its_own(role: str) -> None:
    questions = [one.question for one in load_role(role).requirements]
    assert all(question.rstrip().endswith((".", "?")) for question in questions)
    assert len(set(questions)) == len(questions)


def test_every_competency_with_automatic_evidence_is_wanted_by_some_role() -> None:
    wanted = {
        name
        for role in role_ids()
        for requirement in load_role(role).requirements
        for name in requirement.competencies
    }
    assert wanted <= set(competencies())
    assert {"db.locking", "security.authorisation", "distributed.idempotency"} <= wanted


def test_a_repair_on_the_fastapi_track_speaks_of_debugging_and_python() -> None:
    assert implied("repair", "fastapi") == {
        "code.debugging",
        "language.python",
        "framework.fastapi",
    }
    assert "language.go" in implied("repair", "go")
    assert "language.python" not in implied("repair", "go")


ROLE = """
title = "Engineer"
company = "Company"
place = "Town"
facts = "Facts."

[[requirement]]
id = "sql"
kind = "essential"
weight = 2
name = "SQL"
text = "Knows SQL."
evidence = ["auto"]
competencies = ["db.queries"]
question = "Why?"
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("db.queries", "db.querys"), "unknown competency 'db.querys'"),
        (('kind = "essential"', 'kind = "vital"'), "essential"),
        (("weight = 2", "weight = 9"), "less than or equal to 3"),
        (('question = "Why?"', ""), "question"),
        (('evidence = ["auto"]', 'evidence = ["ask"]'), "exactly where its evidence has 'auto'"),
        (("weight = 2", "weight = 2\nwieght = 2"), "wieght"),
        (('competencies = ["db.queries"]', 'competencies = ["db.queries"'), "not valid TOML"),
        (("[[requirement]]", ROLE[ROLE.index("[[") :] + "[[requirement]]"), "'sql' stands 2 times"),
        (('question = "Why?"', 'at_most = "partly"\nquestion = "Why?"'), "its limits say why"),
        (('question = "Why?"', 'must_ask = ["db.locking"]\nquestion = "Why?"'), "does not list"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    (tmp_path / "mine.toml").write_text(ROLE.replace(*change))
    with pytest.raises(RoleError) as caught:
        load_role("mine", tmp_path)
    message = str(caught.value)
    assert says in message
    assert message.startswith("mine.toml")
    assert message.endswith(".")
    assert "\n" not in message.strip()


def test_an_unknown_role_names_those_that_exist() -> None:
    with pytest.raises(RoleError, match="no role 'nobody'; the roles are innovatetech-london"):
        load_role("nobody")


def test_a_role_cannot_be_read_from_outside_its_folder() -> None:
    with pytest.raises(RoleError, match="There is no role"):
        load_role("../roles/somnio")
