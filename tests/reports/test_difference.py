"""Unified diffs read for showing: files, line numbers, bounds, and any text without an error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reports.difference import LONGEST_FILE, files

DIFF = """diff --git a/one.py b/one.py
--- a/one.py
+++ b/one.py
@@ -3,3 +3,4 @@ def f():
     a = 1
-    b = 2
+    b = 3
+    c = "<b>"
--- a comment removed
diff --git a/gone.sql b/gone.sql
deleted file mode 100644
--- a/gone.sql
+++ /dev/null
@@ -1 +0,0 @@
-SELECT 1
diff --git a/picture.png b/picture.png
Binary files a/picture.png and b/picture.png differ
"""


def test_each_file_has_its_path_and_counts() -> None:
    found = [(one.path, one.added, one.removed) for one in files(DIFF)]
    assert found == [("one.py", 2, 2), ("gone.sql", 0, 1), ("picture.png", 0, 0)]


def test_lines_are_numbered_as_in_the_two_versions() -> None:
    lines = files(DIFF)[0].lines
    assert [(line.kind, line.before, line.after) for line in lines] == [
        ("hunk", None, None),
        ("same", 3, 3),
        ("removed", 4, None),
        ("added", None, 4),
        ("added", None, 5),
        ("removed", 5, None),
    ]
    assert "&lt;b&gt;" in lines[4].html


def test_a_diff_without_git_headers_is_read_too() -> None:
    plain = (
        "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n--- a/y.py\n+++ b/y.py\n@@ -1 +1 @@\n-a\n+b\n"
    )
    assert [(one.path, one.added, one.removed) for one in files(plain)] == [
        ("x.py", 1, 1),
        ("y.py", 1, 1),
    ]


def test_a_long_file_is_cut_and_says_how_much() -> None:
    count = LONGEST_FILE + 500
    long = f"--- a/x.py\n+++ b/x.py\n@@ -0,0 +1,{count} @@\n" + "+x = 1\n" * count
    (one,) = files(long)
    assert len(one.lines) == LONGEST_FILE
    assert one.hidden == 501
    assert one.added == count
    assert one.collapsed


PIECES = st.sampled_from(
    ["diff --git a/x b/x\n", "--- a/x\n", "+++ b/x\n", "@@ -1,2 +1 @@\n", "@@ -0 +9999999999 @@\n",
     "+a\n", "-b\n", " c\n", "\\ No newline\n", "\n", "Binary files\n"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=8)).map("".join))
def test_any_text_is_read(text: str) -> None:
    for one in files(text):
        assert one.hidden >= 0
        assert all(line.html is not None for line in one.lines)
