"""Reviews written on GitHub, as its API gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checks.reviewed import TEXT, Comment, Review
from harness.errors import UsageError
from harness.review.github import put_into, read_github
from harness.review.request import Request, read_request
from tests.harness.review.kits import BEFORE, small, write_review

PATH = "payments/transfers.py"


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> Request:
    return read_request(small(tmp_path_factory.mktemp("kits") / "kit"))


def said(id_: int = 1, **other: Any) -> dict[str, Any]:
    """A comment with all the members that GitHub gives it and that might matter."""
    return {
        "url": f"https://api.github.com/repos/o/r/pulls/comments/{id_}",
        "pull_request_review_id": 42,
        "id": id_,
        "node_id": "PRRC_1",
        "diff_hunk": "@@ -5,8 +5,6 @@",
        "path": PATH,
        "position": 1,
        "original_position": 1,
        "commit_id": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
        "original_commit_id": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
        "user": {"login": "octocat", "id": 1, "type": "User"},
        "body": "It breaks.",
        "created_at": "2025-04-14T16:00:49Z",
        "updated_at": "2025-04-14T16:00:49Z",
        "html_url": f"https://github.com/o/r/pull/1#discussion_r{id_}",
        "author_association": "NONE",
        "start_line": None,
        "original_start_line": None,
        "start_side": None,
        "line": 5,
        "original_line": 5,
        "side": "RIGHT",
        "subject_type": "line",
        **other,
    }


def verdict(state: str, body: str | None, at: str | None = None) -> dict[str, Any]:
    return {
        "id": 80,
        "user": {"login": "octocat"},
        "state": state,
        "body": body,
        "submitted_at": at,
    }


def read(request: Request, given: Any) -> list[Comment]:
    return list(read_github(json.dumps(given).encode(), request, "it.json").comments)


def test_lines_and_sides_are_taken_over(request_: Request) -> None:
    comments = read(
        request_,
        [
            said(1),
            said(2, side="LEFT", start_side="LEFT", start_line=6, line=7),
            said(3, start_line=9, line=12, start_side="RIGHT"),
            said(4, start_line=2, line=12, start_side="LEFT"),
            said(5, line=None, original_line=8, original_start_line=7, start_side=None, side=None),
            said(6, line=None, original_line=None, subject_type="file"),
            said(7, path="else/where.py", line=900),
        ],
    )
    assert [(c.id, c.side, c.first, c.last) for c in comments] == [
        ("github-1", "new", 5, 5),
        ("github-2", "old", 6, 7),
        ("github-3", "new", 9, 12),
        ("github-4", "new", 12, 12),
        ("github-5", "new", 7, 8),
        ("github-6", "new", 1, 1),
        ("github-7", "new", 900, 900),
    ]
    assert [request_.stands(c) for c in comments] == [True] * 6 + [False]


@pytest.mark.parametrize(
    ("body", "severity", "category", "why"),
    [
        ("It breaks.", "medium", "other", "It breaks."),
        ("[high][races] It breaks.", "high", "races", "It breaks."),
        ("[races] [HIGH] It breaks.", "high", "races", "It breaks."),
        ("**[critical]** **[Races and locks]**\n\nIt breaks.", "critical", "races", "It breaks."),
        ("[high]: It breaks.", "high", "other", "It breaks."),
        ("nit: a name", "nit", "other", "a name"),
        ("[nit][design] a name", "nit", "design", "a name"),
        ("[see this](http://x) [high]", "medium", "other", "[see this](http://x) [high]"),
        ("[high][unheard-of] It", "high", "other", "[unheard-of] It"),
        ("high: not ours", "medium", "other", "high: not ours"),
        ("", "medium", "other", ""),
    ],
)
def test_severity_and_category_are_read_from_what_a_comment_begins_with(
    request_: Request, body: str, severity: str, category: str, why: str
) -> None:
    (found,) = read(request_, [said(body=body)])
    assert (found.severity, found.category, found.why) == (severity, category, why)


def test_a_suggested_change_is_how_to_mend_it(request_: Request) -> None:
    body = "[high] No lock.\r\n```suggestion\r\n    row = read(source)\r\n```\r\nSo it was."
    (found,) = read(request_, [said(body=body)])
    assert found.why.startswith("No lock.")
    assert found.why.endswith("So it was.")
    assert found.mend.startswith("```suggestion")
    assert "row = read(source)" in found.mend


def test_answers_stand_with_what_they_answer(request_: Request) -> None:
    comments = read(
        request_,
        [said(1), said(2, in_reply_to_id=1, body="Surely?"), said(3, in_reply_to_id=99, body="?")],
    )
    assert [(c.id, c.why) for c in comments] == [
        ("github-1", "It breaks.\n\nSurely?"),
        ("github-3", "?"),
    ]


def test_pages_of_answers_are_one(request_: Request) -> None:
    assert len(read(request_, [[said(1), said(2)], [said(3)]])) == 3
    assert len(read(request_, {"comments": [[said(1)], []], "reviews": [[]]})) == 1
    assert read(request_, []) == []


def test_the_verdict_is_the_last_that_decides(request_: Request) -> None:
    given = {
        "comments": [],
        "reviews": [
            verdict("COMMENTED", "Later.", "2025-01-03T00:00:00Z"),
            verdict("CHANGES_REQUESTED", "No.", "2025-01-02T00:00:00Z"),
            verdict("APPROVED", "", "2025-01-01T00:00:00Z"),
            verdict("DISMISSED", "Never.", "2025-01-04T00:00:00Z"),
            verdict("PENDING", "Not sent.", None),
        ],
    }
    written = read_github(json.dumps(given).encode(), request_, "it.json")
    assert (written.decision, written.summary) == ("request changes", "No.\n\nLater.")
    only = {"reviews": [verdict("COMMENTED", None)]}
    written = read_github(json.dumps(only).encode(), request_, "it.json")
    assert (written.decision, written.summary) == ("comment", "")


def test_the_old_side_of_a_renamed_file_has_its_old_name(tmp_path: Path) -> None:
    request = read_request(
        write_review(
            tmp_path / "kit", {"old.py": BEFORE.encode()}, {"new.py": f"{BEFORE}1\n".encode()}
        )
    )
    comments = read(request, [said(1, path="new.py", side="LEFT"), said(2, path="new.py")])
    assert [c.path for c in comments] == ["old.py", "new.py"]
    assert all(request.stands(c) for c in comments)


def test_what_is_there_already_stays(request_: Request) -> None:
    written = read_github(
        json.dumps(
            {"comments": [said(1), said(2)], "reviews": [verdict("APPROVED", "Fine.")]}
        ).encode(),
        request_,
        "it.json",
    )
    mine = written.comments[0].model_copy(update={"why": "mine by now"})
    before = Review(
        exercise="judged", seed=3, comments=(mine,), summary="Mine.", decision="request changes"
    )
    after = put_into(before, written)
    assert after.comments == (mine, written.comments[1])
    assert (after.summary, after.decision) == ("Mine.\n\nFine.", "request changes")
    assert put_into(after, written) == after
    full = before.model_copy(update={"summary": "a" * TEXT})
    assert put_into(full, written).summary == "a" * TEXT


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "the file: invalid JSON"),
        ("3", "the file: input should be"),
        ('[{"id": 1}]', "comments.0.path: field required"),
        ('{"comments": 3}', "comments: input should be a valid list"),
        ('{"message": "Not Found", "status": "404"}', "neither comments nor reviews"),
        (json.dumps([said(line=0)]), "comments.0.line"),
        (json.dumps([said(side="MIDDLE")]), "comments.0.side"),
    ],
)
def test_what_is_not_the_apis_is_refused(request_: Request, given: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_github(given.encode(), request_, "it.json")


def test_long_bodies_are_cut_and_it_is_told(request_: Request) -> None:
    data = json.dumps([said(body="a" * 60_000)]).encode()
    written = read_github(data, request_, "it.json")
    assert len(written.comments[0].why) == TEXT
    assert written.told == ("Comments longer than 20,000 characters are cut.",)
