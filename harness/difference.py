"""The difference of two trees as a unified diff, made by git of plain folders of ours."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from pathlib import Path

from exercises.tree import Tree, write_tree

#: Characters of a diff that an evidence keeps, and seconds that making one may take: a candidate
#: decides what is compared.
LIMIT = 400_000
PATIENCE = 20.0
#: Of two folders, git names a file that only one side has by that side twice over. No line of a
#: diff's body can begin like this.
ONE_SIDED = re.compile(r"^diff --git ([ab])/(.+) \1/\2$", re.MULTILINE)


async def difference(before: Tree, after: Tree, *, context: int = 3) -> tuple[str, bool]:
    """The unified diff (``a/`` to ``b/``, git's format), and whether it had to be cut."""
    git = shutil.which("git")
    if git is None:
        return "git is not installed here, so no difference was made.\n", True
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    with tempfile.TemporaryDirectory(prefix="assay-diff-") as name:
        folder = Path(name)
        for side, tree in (("a", before), ("b", after)):
            write_tree({path: tree[path] for path in changed if path in tree}, folder / side)
        options = ["--no-index", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames"]
        process = await asyncio.create_subprocess_exec(
            *(
                git,
                "-c",
                "core.quotePath=false",
                "diff",
                *options,
                f"--unified={context}",
                "--src-prefix=",
                "--dst-prefix=",
            ),
            *("a", "b"),
            cwd=folder,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": name,
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CEILING_DIRECTORIES": name,
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                output, _ = await process.communicate()
        except TimeoutError:
            return "The difference took too long to make.\n", True
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    text = ONE_SIDED.sub(r"diff --git a/\2 b/\2", output.decode("utf-8", "replace"))
    return text[:LIMIT], len(text) > LIMIT
