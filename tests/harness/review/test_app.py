"""The page's HTTP interface, on the command as it runs."""

from __future__ import annotations

import itertools
import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from checks.reviewed import COMMENTS, TEXT, ReviewError, read_review
from tests.harness.review.kits import small, write_review
from tests.harness.review.running import Running, change, comment, running
from tests.reports.pages import HOSTILE, Page


def post(client: httpx.Client, revision: str, *changes: dict[str, Any], **other: Any) -> Any:
    answer = client.post("/review", json={"revision": revision, "comments": changes, **other})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_page_shows_the_request_in_both_views(served: Running) -> None:
    with served.client() as client:
        for view in ("unified", "split"):
            page = Page(client.get("/", params={"view": view}).text)
            assert not page.unbalanced
            assert len(page.ids) == len(set(page.ids))
            assert "Transfers made faster" in page.text
            assert "They waited for one another" in page.text
            assert "Say what breaks." in page.text
            rows = [given for tag, given in page.tags if tag == "tr"]
            assert any("gap" in (given.get("class") or "") for given in rows)
            assert {"5", "6"} <= {given.get("data-old") for given in rows}
            scripts = [given for tag, given in page.tags if tag == "script"]
            assert scripts == [{"type": "module", "src": "/static/review.js"}]
        client.headers["Cookie"] += "; assay-view=split"
        assert "diff split" in client.get("/").text


def test_more_lines_and_colours_are_asked_for(served: Running) -> None:
    with served.client() as client:
        rows = client.get("/files/1/lines", params={"view": "split", "first": 12, "last": 13})
        assert rows.text.count("<tr") == 2
        assert 'data-old="14" data-new="12"' in rows.text
        found = client.get("/files/1/colours").json()
        assert len(found["new"]) == 35
        assert "t-k" in "".join(found["new"])
        for path in (
            "/files/7/colours",
            "/files/1/lines?view=odd&first=1&last=2",
            "/files/1/lines?view=split&first=0&last=2",
            "/files/x/colours",
            "/static/../app.py",
            "/static/%2e%2e/app.py",
            "/static//etc/passwd",
            "/review.json",
            "/docs",
            "/openapi.json",
        ):
            assert client.get(path).status_code in (404, 422), path
        assert client.get("/static/review.js").headers["content-type"].startswith("text/javascript")
        assert client.put("/review", json={}).status_code == 405


def test_what_is_saved_is_on_the_disk_when_it_is_answered(served: Running) -> None:
    with served.client() as client:
        state = client.get("/review").json()
        assert state["revision"] == "none"
        answer = post(client, "none", change(comment()))
        assert answer["review"] is None
        assert [one.id for one in served.kept().comments] == ["c-1"]
        better = comment(why="better", mend="lock it")
        answer = post(client, answer["revision"], change(better, comment()))
        answer = post(
            client,
            answer["revision"],
            summary={"was": "", "now": "No."},
            decision={"was": None, "now": "request changes"},
        )
        kept = served.kept()
        assert (kept.comments[0].mend, kept.summary, kept.decision) == (
            "lock it",
            "No.",
            "request changes",
        )
        assert client.get("/review", params={"since": answer["revision"]}).json()["review"] is None
        post(client, answer["revision"], change(None, better))
        assert served.kept().comments == ()


def test_two_pages_lose_nothing(served: Running) -> None:
    with served.client() as one, served.client() as other:
        first = post(one, "none", change(comment("a")))
        second = post(other, "none", change(comment("b")))
        assert {c["id"] for c in second["review"]["comments"]} == {"a", "b"}
        mine, theirs = comment("a", why="mine"), comment("a", why="theirs")
        post(one, first["revision"], change(theirs, comment("a")))
        answer = post(other, second["revision"], change(mine, comment("a")))
        assert answer["renamed"] == {"a": "a-2"}
        assert answer["told"]
        assert {(c.id, c.why) for c in served.kept().comments} >= {("a", "theirs"), ("a-2", "mine")}


def test_a_page_hears_what_became_of_its_save(served: Running) -> None:
    with served.client() as client:
        first = post(client, "none", change(comment("a")), summary={"was": "", "now": "theirs"})
        mine = {"was": "", "now": "mine"}
        answer = post(client, first["revision"], summary=mine)
        assert answer["review"]["summary"].startswith("theirs")
        assert answer["review"]["summary"].endswith("mine")
        stale = change(None, comment("a", why="as it never was"))
        answer = post(client, answer["revision"], stale)
        assert [one["id"] for one in answer["review"]["comments"]] == ["a"]


def test_many_pages_at_once_lose_nothing(served: Running) -> None:
    def write(name: str) -> None:
        with served.client() as client:
            revision = "none"
            for number in range(20):
                revision = post(client, revision, change(comment(f"{name}-{number}")))["revision"]

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(served.kept().comments) == 80


def test_a_review_broken_meanwhile_is_told_and_left(served: Running) -> None:
    served.file.write_text('{"schema": 1,')
    with served.client() as client:
        assert client.get("/").status_code == 200
        assert client.get("/review").status_code == 409
        answer = client.post("/review", json={"revision": "none", "comments": [change(comment())]})
        assert answer.status_code == 409
        assert answer.json()["problem"].startswith("The review cannot be read")
        assert served.file.read_text() == '{"schema": 1,'
        served.file.unlink()
        post(client, "none", change(comment()))
    assert len(served.kept().comments) == 1


def test_a_disk_that_takes_nothing_is_told(served: Running) -> None:
    (served.folder / ".review.json.new").mkdir()
    with served.client() as client:
        answer = client.post("/review", json={"revision": "none", "comments": [change(comment())]})
        assert answer.status_code == 507
        assert answer.json()["problem"] == "review.json cannot be written: Is a directory."
        (served.folder / ".review.json.new").rmdir()
        post(client, "none", change(comment()))
    assert len(served.kept().comments) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '{"revision": "none", "comments": [{"was": null, "now": {"id": "a"}}]}',
        '{"revision": "none", "more": 1}',
        '{"revision": "none", "decision": {"was": null, "now": "merge"}}',
        '{"revision": "none", "summary": {"was": "", "now": "\\ud800"}}',
        json.dumps({"revision": "none", "summary": {"was": "", "now": "a" * (TEXT + 1)}}),
        json.dumps(
            {"revision": "none", "comments": [{"was": None, "now": comment() | {"last": 2}}]}
        ),
        '{"revision": "none", "comments": ' + "[" * 100_000,
    ],
)
def test_what_is_no_save_changes_nothing(served: Running, body: str) -> None:
    with served.client() as client:
        answer = client.post("/review", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422)
        assert answer.json()["problem"]
    assert not served.file.exists()


def test_ten_thousand_comments_are_answered_and_no_more_taken(kit: Path) -> None:
    made = [comment(f"c-{number}", why=f"{number} " * 20) for number in range(COMMENTS)]
    given = {"schema": 1, "exercise": "judged", "seed": 3, "comments": made}
    (kit / "review.json").write_text(json.dumps(given))
    with running(kit) as served, served.client() as client:
        assert client.get("/").status_code == 200
        state = client.get("/review").json()
        assert len(state["review"]["comments"]) == COMMENTS
        began = time.perf_counter()
        now = {**made[7], "why": "changed"}
        answer = post(client, state["revision"], change(now, made[7]))
        assert time.perf_counter() - began < 5
        assert served.kept().comments[7].why == "changed"
        answer = client.post(
            "/review",
            json={"revision": answer["revision"], "comments": [change(comment("one-more"))]},
        )
        assert answer.status_code == 413
        assert len(served.kept().comments) == COMMENTS


def test_hostile_text_is_kept_as_it_is_and_shown_as_text(tmp_path: Path) -> None:
    texts = [text.encode("utf-8", "replace").decode()[:TEXT] for text in HOSTILE]
    path = "a<script>alert(1)</script>.py"
    tree = {path: "".join(f"{text}\n" for text in texts).replace("\0", "").encode()}
    folder = write_review(tmp_path / "kit", {"b.py": b""}, tree, request="".join(texts[::-1]))
    with running(folder) as served, served.client() as client:
        assert not set("\x1b\u202e\x07") & set(served.said)
        changes = [
            change(
                comment(f"c-{number}", path=text[:400], why=text, mend=text, category=text[:100])
            )
            for number, text in enumerate(texts)
        ]
        post(client, "none", *changes, summary={"was": "", "now": texts[0]})
        assert [one.why for one in served.kept().comments] == texts
        for address in ("/?view=unified", "/?view=split"):
            text = client.get(address).text
            page = Page(text)
            assert not page.unbalanced
            assert [tag for tag, _ in page.tags].count("script") == 1
            assert not {tag for tag, _ in page.tags} & {"img", "iframe", "object", "embed"}
            assert not any(name.startswith("on") for _, given in page.tags for name in given)
            assert not any(link.startswith("javascript") for link in page.links)
            assert "\x1b" not in text
            assert "\u202e" not in text


def test_who_has_no_key_or_comes_from_elsewhere_is_refused(served: Running) -> None:
    base, body = served.base, {"revision": "none", "comments": [change(comment())]}
    cookie = f"assay-review-{served.port}"
    refused: list[dict[str, str | bytes]] = [
        {"Cookie": ""},
        {"Cookie": f"{cookie}=guessed"},
        {"Cookie": f"{cookie}=é".encode()},
        {"Cookie": f"other={served.key}"},
        {"Host": "attacker.example"},
        {"Host": f"attacker.example:{served.port}"},
        {"Host": f"127.0.0.1.attacker.example:{served.port}"},
        {"Host": "127.0.0.1"},
        {"Host": ""},
        {"Origin": "http://attacker.example"},
        {"Origin": f"http://localhost:{served.port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    for headers in refused:
        with served.client(**headers) as client:
            for answer in (
                client.get("/"),
                client.get("/review"),
                client.get("/static/review.js"),
                client.post("/review", json=body),
            ):
                assert answer.status_code in (403, 421), headers
                assert "balance" not in answer.text
                assert answer.headers["content-security-policy"]
    with served.client() as client:
        del client.headers["Origin"]
        assert client.get("/").status_code == 200
        assert client.post("/review", json=body).status_code == 403
        client.headers["Origin"] = base
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            answer = client.post(
                "/review", content=json.dumps(body), headers={"Content-Type": kind}
            )
            assert answer.status_code == 415
        assert client.post("/review", content=b" " * 9_000_000).status_code == 415
        as_json = {"Content-Type": "application/json"}
        too_long = client.post("/review", content=b" " * 9_000_000, headers=as_json)
        assert too_long.status_code == 413
        chunked = client.post("/review", content=iter([b"{}"]), headers=as_json)
        assert chunked.status_code == 411
    assert not served.file.exists()


def test_the_key_becomes_a_cookie_for_this_page_alone(served: Running) -> None:
    with httpx.Client(base_url=served.base) as client:
        assert client.get("/enter").status_code == 403
        assert client.get("/enter", params={"key": "guessed"}).status_code == 403
        assert client.get("/").status_code == 403
        answer = client.get("/enter", params={"key": served.key})
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert client.get("/").status_code == 200


def test_nothing_listens_but_on_this_machine(served: Running) -> None:
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    mine = [
        line.split()[1] for line in listening if line.split()[1].endswith(f":{served.port:04X}")
    ]
    assert set(mine) == {f"0100007F:{served.port:04X}"}
    for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]:
        assert not line.split()[1].endswith(f":{served.port:04X}")


def test_a_kill_at_any_moment_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    kit = small(tmp_path / "kit")
    answered = 0
    for turn in range(5):
        with running(kit) as served:
            killer = threading.Timer(0.004 * turn, served.kill)
            with pytest.raises(httpx.TransportError), served.client() as client:
                revision = client.get("/review").json()["revision"]
                for number in itertools.count():
                    if number == 5:
                        killer.start()
                    made = change(comment(f"c-{answered}", why="x" * 5_000))
                    revision = post(client, revision, made)["revision"]
                    answered += 1
            killer.join()
        ids = [one.id for one in served.kept().comments]
        # What was on its way when it was killed may have arrived, and may not.
        assert len(ids) - answered in (0, 1)
        answered = len(ids)
    leftovers = {path.name for path in kit.iterdir()} - {"review.json", ".review.json.new"}
    assert not [name for name in leftovers if "review.json" in name]


def test_a_review_is_whole_whenever_it_is_looked_at(served: Running) -> None:
    ended = threading.Event()
    broken: list[str] = []

    def look() -> None:
        while not ended.is_set():
            try:
                read_review(served.file.read_bytes())
            except FileNotFoundError:
                continue
            except ReviewError as failure:
                broken.append(str(failure))

    looker = threading.Thread(target=look)
    looker.start()
    with served.client() as client:
        revision = "none"
        for number in range(60):
            made = change(comment(f"c-{number}", why="x" * 10_000))
            revision = post(client, revision, made)["revision"]
    ended.set()
    looker.join()
    assert not broken
