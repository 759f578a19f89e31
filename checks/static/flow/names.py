"""Names of Python's own and of other packages, by what stands behind them."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


#: Packages whose functions do no more than make something of what they are given.
PLAIN = words(
    "builtins json re base64 binascii urllib string itertools functools operator collections"
    " dataclasses typing copy codecs contextlib asyncio anyio fastapi starlette flask werkzeug"
    " django aiohttp multidict quart struct time datetime math uuid email http logging structlog"
    " secrets hashlib hmac"
)

#: Methods of text, bytes and dictionaries; those that tell how far two texts are alike; and those
#: that give a part.
OF_DATA = words(
    "encode decode lower upper casefold strip lstrip rstrip hex format join ljust rjust zfill"
    " translate to_bytes tobytes group groups getlist get_all items keys values copy title"
    " fullmatch match search findall finditer sub swapcase capitalize"
)
ALIKE = words(
    "startswith endswith find rfind index rindex count removeprefix removesuffix replace split"
    " rsplit partition rpartition strip lstrip rstrip fullmatch match search findall finditer"
    " __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __contains__"
)
PARTS = words(
    "split rsplit partition rpartition splitlines get group groups getlist items values pop"
    " groupdict match fullmatch search"
)

#: Functions that hold one thing against another; those that make nothing of what they are given;
#: and those that give what their first argument is.
COMPARING = words(
    "operator.eq operator.ne operator.lt operator.le operator.gt operator.ge operator.contains"
    " operator.countOf operator.indexOf re.match re.fullmatch re.search re.findall re.finditer"
    " re.split re.sub re.subn fnmatch.fnmatch fnmatch.fnmatchcase"
)
BARE = words("len isinstance issubclass callable print hasattr id type range object delattr")
THROUGH = words(
    "asyncio.wait_for asyncio.shield asyncio.create_task asyncio.ensure_future asyncio.run"
    " copy.copy copy.deepcopy asyncio.timeout contextlib.closing contextlib.aclosing"
)

#: Methods that put something into a list or a set, that look for it there, that hold two of them
#: against one another, and that find something by a key.
ADD = words("append add insert appendleft put put_nowait")
EXTEND = words("extend update extendleft __iadd__")
LOOK = words("index count remove discard __contains__")
TOGETHER = words(
    "issubset issuperset isdisjoint intersection difference symmetric_difference union"
    " intersection_update difference_update __and__ __sub__ __xor__ __or__ __eq__"
)
GET = words("get pop setdefault __getitem__")

#: Parts of a request that hold nothing of its body, and what hangs on it and is none of its.
BESIDE_THE_BODY = words(
    "headers header META environ query_params args cookies path_params url method path client"
    " scope GET match_info query_string rel_url content_type host"
)
NOT_GIVEN = words("app state session user auth current_app config ctx")

#: What compares two things in constant time; and what verifies a signature of its own accord, and
#: raises where it is wrong.
CONSTANT = words(
    "hmac.compare_digest secrets.compare_digest _operator._compare_digest operator._compare_digest"
    " cryptography.hazmat.primitives.constant_time.bytes_eq"
    " django.utils.crypto.constant_time_compare werkzeug.security.safe_str_cmp"
    " nacl.bindings.sodium_memcmp passlib.utils.consteq"
    " itsdangerous.signer.constant_time_compare tornado.web._time_independent_equals"
)
VERIFYING = words(
    "standardwebhooks.Webhook.verify standardwebhooks.webhooks.Webhook.verify svix.Webhook.verify"
    " svix.webhooks.Webhook.verify stripe.Webhook.construct_event"
    " stripe.WebhookSignature.verify_header"
)

#: What begins a HMAC, with a message or without one, and what makes one at once; how the names of
#: what makes digests begin, and of what is random.
WITH_MESSAGE = words("hmac.new hmac.HMAC Crypto.Hash.HMAC.new Cryptodome.Hash.HMAC.new")
WITHOUT_MESSAGE = words("cryptography.hazmat.primitives.hmac.HMAC")
AT_ONCE = words("hmac.digest _hashlib.hmac_digest")
HASHES = ("hashlib.sha", "hashlib.blake", "hashlib.md5", "hashlib.new", "Crypto.Hash.SHA")
RANDOM = ("os.urandom", "secrets.token_", "secrets.randbits", "random.", "uuid.uuid4")

#: What runs text as code, or may give any name another value.
RUNNING_TEXT = words("builtins.exec builtins.eval builtins.compile builtins.globals")

#: Classes that hold routes, by their last names; what puts routes of one under another; what has
#: something see every request, by its class or as a function; what binds a path for reading only;
#: and what takes paths that do not begin with a slash.
ROUTERS = words(
    "FastAPI APIRouter Starlette Router Flask Blueprint Quart Sanic Application NinjaAPI Litestar"
    " Bottle Falcon App"
)
INCLUDING = words("include_router mount register_blueprint include Mount add_subapp add_router")
AROUND = words("add_middleware Middleware")
BEFORE = words("before_request before_app_request middleware on_request")
READING = words("get put patch delete head options trace websocket add_get exception_handler")
LISTING = words("path re_path url")

#: Words of a function that puts an application together.
BUILDING = ROUTERS | INCLUDING | AROUND | words("add_api_route add_route add_url_rule add_post")

#: Annotations of a parameter that is the whole request, a plain part of it, or none of it.
REQUESTS = words("Request HttpRequest HTTPConnection ASGIRequest WSGIRequest")
VALUES = words("str int float bool UUID datetime date None")
NOT_BROUGHT = words("Response BackgroundTasks Send ASGIApp")
