"""``python -m harness`` is the ``assay`` command."""

from harness.cli import main

main()
