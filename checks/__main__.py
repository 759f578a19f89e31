"""pytest on the checks: ``python -m checks`` takes pytest's own arguments."""

import gc
import sys

# What is imported stays: looking for garbage among it takes a fifth of the start.
gc.set_threshold(50_000, 20, 50)

if __name__ == "__main__":
    import pytest

    sys.exit(pytest.main())
