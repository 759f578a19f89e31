"""Rule 17.2: which addresses may be called."""

from ipaddress import ip_address, ip_network

import pytest

from payments.kit.targets import ForbiddenTargetError, Resolver, Target, is_global

NOT_GLOBAL = (
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:7f00:1::1",
    "::127.0.0.1",
)
GLOBAL = ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8")


@pytest.mark.parametrize("address", NOT_GLOBAL)
def test_what_is_near_is_not_global(address: str) -> None:
    assert not is_global(ip_address(address))


@pytest.mark.parametrize("address", GLOBAL)
def test_what_is_far_is(address: str) -> None:
    assert is_global(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "https://user@shop.example/",
        "https://user:secret@shop.example/",
        "https://@127.0.0.1/",
        "https:///path",
        "https://shop.example:port/",
        "https://shop.example:99999/",
        "https://shop.example/#top",
        "https://[::1/",
        "https://shop_.example/",
        "https://-shop.example/",
        "//shop.example/",
        "shop.example",
        "https://127.1/../",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "http://8.8.8.8/",
    ],
)
async def test_addresses_that_may_not_be_called(url: str) -> None:
    with pytest.raises(ForbiddenTargetError):
        await Resolver("", []).resolve(Target.of(url))


async def test_what_is_allowed_may_be_called_by_http_too() -> None:
    resolver = Resolver("", [ip_network("127.0.0.0/8"), ip_network("fd00::/8")])
    for url in ("http://127.0.0.1:8080/", "https://127.0.0.9/", "http://[fd00::1]/"):
        await resolver.resolve(Target.of(url))
    with pytest.raises(ForbiddenTargetError):
        await resolver.resolve(Target.of("http://[::1]/"))
    far = await resolver.resolve(Target.of("https://8.8.8.8/"))
    assert far == ip_address("8.8.8.8")


def test_a_target_is_pinned_without_losing_its_name() -> None:
    target = Target.of("https://Shop.example/hooks/a?b=c")
    assert (target.host, target.port, target.path) == ("shop.example", 443, "/hooks/a?b=c")
    assert target.authority == "shop.example"
    assert target.pinned(ip_address("1.2.3.4")) == "https://1.2.3.4:443/hooks/a?b=c"
    odd = Target.of("http://[fd00::1]:81")
    assert odd.authority == "[fd00::1]:81"
    assert odd.pinned(ip_address("fd00::1")) == "http://[fd00::1]:81/"
