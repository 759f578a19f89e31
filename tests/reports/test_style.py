"""The page's colours are readable: WCAG 2.2, success criterion 1.4.3, in light, dark and print."""

from __future__ import annotations

import re

import pytest

from reports.html import TEMPLATES

STYLE = (TEMPLATES / "style.css").read_text(encoding="utf-8")

#: What text needs against its ground.
READABLE = 4.5

TONES = ("good", "fair", "bad", "worse", "mute", "stop")
PAIRS = [
    *(("ink", ground) for ground in ("paper", "sheet", "sunk", "added", "removed", "hunk")),
    *(("soft", ground) for ground in ("paper", "sunk", "hunk")),
    *((tone, ground) for tone in TONES for ground in ("paper", f"{tone}-bg")),
    *((token, ground) for token in "kscnf" for ground in ("sheet", "added", "removed")),
    ("link", "paper"),
    ("good", "sunk"),
    ("bad", "sunk"),
]


def palette(scheme: str) -> dict[str, str]:
    """The colours of a scheme, over those of light."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    chosen = {"light": blocks[:1], "dark": blocks[:2], "print": [blocks[0], blocks[2]]}[scheme]
    return {
        name: colour
        for block in chosen
        for name, colour in re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})\b", block)
    }


def luminance(colour: str) -> float:
    """Relative luminance of ``#rgb`` or ``#rrggbb``, as WCAG defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(one * 2 for one in colour[1:])
    parts = [int(digits[index : index + 2], 16) / 255 for index in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_is_readable_on_its_ground(scheme: str) -> None:
    colours = palette(scheme)
    poor = {
        (text, ground): round(contrast(colours[text], colours[ground]), 2)
        for text, ground in PAIRS
        if contrast(colours[text], colours[ground]) < READABLE
    }
    assert not poor


def test_every_colour_of_light_has_one_in_dark_and_print() -> None:
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    light, dark, printed = (set(re.findall(r"--([\w-]+): #", block)) for block in blocks)
    assert light == dark
    assert light - printed <= {"rule-strong"}
