"""Text from outside made fit to show: nothing hides in it, and it has an end.

Control characters, terminal sequences, bidirectional overrides (CVE-2021-42574), zero-width
characters and lone surrogates are replaced by something a reader sees.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress

#: The longest text shown of anything that has no shorter limit, in characters.
LONGEST = 20_000

#: The longest body of a request or a response shown, in characters.
LONGEST_BODY = 4_000

_HIDDEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls but tab and line feed
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\udfff"
    "\U000e0000-\U000e0fff"
    "]"
)


def visible(text: str, limit: int = LONGEST) -> str:
    """The text with everything hidden made visible, cut at ``limit`` characters with a note."""
    cut = len(text) - limit
    shown = _HIDDEN.sub(_picture, text[:limit].replace("\r\n", "\n"))
    return f"{shown}\n… {cut:,} more characters are not shown" if cut > 0 else shown


def _picture(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match.group()):04X}⟩"


def body(text: str, limit: int = LONGEST_BODY) -> str:
    """A body for reading: JSON is indented, anything else stays as it is."""
    if text[:1] in ("{", "[") and len(text) <= limit:
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return visible(text, limit * 2 if text[:1] in ("{", "[") else limit)
