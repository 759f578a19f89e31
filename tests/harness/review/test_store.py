"""``review.json`` is replaced as a whole or not at all, and never what cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from checks.reviewed import Review, ReviewError
from exercises.kit import Kit
from harness.errors import UsageError
from harness.review.merging import CommentChange, Save
from harness.review.store import NONE, Store
from tests.harness.review.running import comment

KIT = Kit(exercise="judged", seed=3)


def a_save(id_: str = "a", revision: str = NONE) -> Save:
    change = CommentChange.model_validate({"was": None, "now": comment(id_)})
    return Save(revision=revision, comments=(change,))


def test_there_is_no_file_until_something_is_saved(tmp_path: Path) -> None:
    with Store.opened(tmp_path, KIT) as store:
        state = store.state()
        assert state.revision == NONE
        assert state.review == Review(exercise="judged", seed=3)
        assert not list(tmp_path.iterdir())
        before, after, _ = store.save(a_save())
        assert (before.revision, after.revision) == (NONE, store.state().revision)
        assert [path.name for path in tmp_path.iterdir()] == ["review.json"]
    with Store.opened(tmp_path, KIT) as again:
        assert again.state() == after


def test_what_an_editor_wrote_is_taken_up(tmp_path: Path) -> None:
    with Store.opened(tmp_path, KIT) as store:
        store.save(a_save())
        file = tmp_path / "review.json"
        file.write_text(file.read_text().replace("one balance", "one row"))
        assert "one row" in store.state().review.comments[0].why
        store.save(a_save("b"))
        assert "one row" in file.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"schema": 1, "exercise": "judged", "seed": 3, "comments": [{"id": "a"',
        '{"schema": 2, "exercise": "judged", "seed": 3}',
        '{"schema": 1, "exercise": "other", "seed": 3}',
        '{"schema": 1, "exercise": "judged", "seed": 4}',
        '{"schema": 1, "exercise": "judged", "seed": 3, "comments": [{"severity": "grave"}]}',
        "\ufffd",
    ],
)
def test_what_cannot_be_read_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "review.json"
    file.write_text(text)
    with Store.opened(tmp_path, KIT) as store:
        with pytest.raises(ReviewError):
            store.state()
        with pytest.raises(ReviewError):
            store.save(a_save())
        assert file.read_text() == text
        aside = store.set_aside()
        assert aside == tmp_path / "review.json.1"
        assert aside.read_text() == text
        store.save(a_save())
        file.write_text(text)
        assert store.set_aside() == tmp_path / "review.json.2"


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not touch")
    for make in (
        lambda file: file.symlink_to(secret),
        os.mkfifo,
        lambda file: file.mkdir(),
    ):
        file = tmp_path / "review.json"
        make(file)
        with Store.opened(tmp_path, KIT) as store:
            with pytest.raises(ReviewError, match="no plain file"):
                store.save(a_save())
            store.set_aside()
    assert secret.read_text() == "do not touch"


def test_a_link_where_it_writes_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not touch")
    (tmp_path / ".review.json.new").symlink_to(secret)
    with Store.opened(tmp_path, KIT) as store, pytest.raises(OSError, match="symbolic"):
        store.save(a_save())
    assert secret.read_text() == "do not touch"


def test_one_command_at_a_time_has_it(tmp_path: Path) -> None:
    with (
        Store.opened(tmp_path, KIT),
        pytest.raises(UsageError, match="Another 'assay review' has"),
        Store.opened(tmp_path, KIT),
    ):
        pass
    with Store.opened(tmp_path, KIT):
        pass
