"""What may be wrong with a value, by what the contract's document says of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Schema = dict[str, Any]


@dataclass(frozen=True)
class Raw:
    """JSON that Python has no value for, or that is none."""

    text: str


NO_AMOUNTS: tuple[Any, ...] = (
    *(0, -1, 10**12 + 1, -(10**12), 10**30, 1.5, 1.0, "1", "", True, False, None, [1], {}),
    *(Raw("NaN"), Raw("Infinity"), Raw("-0"), Raw("1e3"), Raw("01"), Raw("9" * 5_000)),
)

NO_CURRENCIES: tuple[Any, ...] = (
    "XXX",
    "XTS",
    "gbp",
    "GB",
    "GBPX",
    "",
    " GBP",
    "GBP\n",
    "£",
    826,
    True,
    None,
    [],
)

NO_STRINGS: tuple[Any, ...] = (1, 1.5, True, [], ["x"], {}, Raw('"\\ud800"'))

NO_TEXTS = (*NO_STRINGS, "", "\x00", "a\nb", "\x7f", "a\x85b")

NO_IDS = (*NO_STRINGS, "", "x'", "../x", "bank:GBP", "acc_\u0661", "acc_1\x00", "a" * 101)

NO_URLS = (
    *("x", "ftp://shop.example/", "http://8.8.8.8/", "https://", "https:///x", "javascript:1"),
    *("https://u:p@shop.example/", "https://shop.example/#x", "https://shop.example/ x"),
    *("https://10.0.0.1/", "https://169.254.169.254/", "https://[::1]/", "https://[fe80::1]/"),
    *("https://shop.example:99999/", "https://shop.example:x/", "https://nowhere.example/"),
)

CARD = "4242424242424242"

NOTICED = 200
"""How long the words of notices are; a reference there is the service's own."""


def resolve(document: Document, schema: Schema) -> Schema:
    """The schema itself: what a reference means, and of alternatives the one that is not null."""
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        else:
            schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
    return schema


def no_values(document: Document, name: str, given: Schema) -> tuple[Any, ...]:
    """Values that a member of that name and schema does not have; null is left to the caller."""
    schema = resolve(document, given)
    kind = schema.get("type")
    if kind == "integer":
        return NO_AMOUNTS
    if kind == "array":
        return ([], ["x"], [1], [None], [[]], "x", {}, 1, True)
    if kind in ("boolean", ["boolean", "null"]):
        return ("true", "", 1, 0, [], {})
    return _no_words(name, schema) if "enum" in schema else _no_texts(name, schema)


def _no_words(name: str, schema: Schema) -> tuple[Any, ...]:
    """What is none of the words of a set."""
    if name == "currency":
        return NO_CURRENCIES
    return (*NO_STRINGS, "", "x", schema["enum"][0].upper())


def _no_texts(name: str, schema: Schema) -> tuple[Any, ...]:
    """What does not match a pattern; whatever has none may say anything."""
    pattern = schema.get("pattern", "")
    longest = schema.get("maxLength", 70)
    texts = (*NO_TEXTS, "x" * (longest + 1), "é" * (longest + 1))
    if not pattern:
        texts = NO_STRINGS[:-1]
    elif name == "url":
        texts += NO_URLS
    elif pattern.startswith("^acc_"):
        texts = NO_IDS
    if name in ("reference", "description", "payment_method") and longest != NOTICED:
        texts += (CARD, f"card {CARD}", "4242 4242 4242 4242", "3782-822463-10005")
    if name in ("payment_method", "code", "bank_account") and pattern:
        texts += ("tok_", "tok_\u0661", "12", "1" * 40, "\u0661" * 6, "gb33", "GB 33 44")
    return texts


def wrong_bodies(document: Document, schema: Schema, good: Any) -> Iterator[tuple[str, Any]]:
    """Bodies with one thing wrong each, and what that is."""
    schema = resolve(document, schema)
    for name, member in schema.get("properties", {}).items():
        needed = name in schema.get("required", ())
        inner = resolve(document, member)
        if inner.get("type") == "object":
            for what, value in wrong_bodies(document, inner, good.get(name, {})):
                yield f"{name}.{what}", good | {name: value}
            values: tuple[Any, ...] = (1, "x", [], True)
        else:
            values = no_values(document, name, member)
        for value in (*values, *([None] if needed else [])):
            yield f"{name}: {str(value)[:40]!r}", good | {name: value}
        if needed:
            yield f"no {name}", {n: value for n, value in good.items() if n != name}
    if schema.get("additionalProperties") is False:
        for name in ("unknown", "id", "status", "owner", "fee", "created_at", "number", "cvv", ""):
            yield f"member {name!r}", good | {name: "x"}


NO_BODIES: tuple[tuple[str, bytes, int | None], ...] = (
    ("half an object", b"{", None),
    ("not UTF-8", b"\xff\xfe{}", None),
    ("UTF-16", '{"name": "x"}'.encode("utf-16"), None),
    ("UTF-16 without a mark", "{}".encode("utf-16-le"), None),
    ("UTF-32", "{}".encode("utf-32-be"), None),
    ("a member that is not UTF-8", b'{"name": "\xff"}', None),
    ("two values", b"{} {}", None),
    ("a comma too many", b'{"name": "x",}', None),
    ("deep lists", b"[" * 60_000, None),
    ("deep objects", b'{"a":' * 10_000, None),
    ("a list", b"[]", 422),
    ("a list of one", b"[{}]", 422),
    ("a string", b'"x"', 422),
    ("a number", b"1", 422),
    ("true", b"true", 422),
    ("a form", b"name=x", None),
    ("blanks without end", b" " * (64 * 1024 + 1), 413),
    ("a string without end", b'{"name": "' + b"x" * 64 * 1024 + b'"}', 413),
)
"""Bodies that are none for anybody, with the status if there is only one; otherwise 400 or 422."""

NO_CONTENT_TYPES = ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "x")


def encoded(body: Any) -> bytes:
    """A body as it is sent."""
    raws: list[str] = []

    def marked(value: Any) -> Any:
        if isinstance(value, Raw):
            raws.append(value.text)
            return f"@raw{len(raws) - 1}@"
        if isinstance(value, dict):
            return {name: marked(inner) for name, inner in value.items()}
        return [marked(inner) for inner in value] if isinstance(value, list) else value

    text = json.dumps(marked(body))
    for number, raw in enumerate(raws):
        text = text.replace(f'"@raw{number}@"', raw)
    return text.encode()
