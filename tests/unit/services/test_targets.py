"""What a person types to name a host."""

from __future__ import annotations

import pytest

from suture.services.errors import ServiceError
from suture.services.targets import parse_target


@pytest.mark.parametrize(
    ("text", "user", "address", "port"),
    [
        ("local", "root", "local", 22),
        ("web1", "root", "web1", 22),
        ("kim@web1.example:2222", "kim", "web1.example", 2222),
        ("[fe80::1%eth0]:22", "root", "fe80::1%eth0", 22),
    ],
)
def test_targets(text: str, user: str, address: str, port: int) -> None:
    host = parse_target(text, jump="kim@gate:22")
    assert (host.user, host.address, host.port) == (user, address, port)


@pytest.mark.parametrize("text", ["", "-oProxyCommand=x", "a b", "h:0", "h:99999", "ro\x1bot@h"])
def test_what_names_no_host_is_refused(text: str) -> None:
    with pytest.raises(ServiceError, match="not a target"):
        parse_target(text)
    with pytest.raises(ServiceError, match="not a jump host"):
        parse_target("web1", jump=text)
