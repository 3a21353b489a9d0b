from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from suture.hosts.transport.known_hosts import KnownHosts


def public() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519").convert_to_public()


def test_pins_belong_to_an_address_and_a_port(tmp_path: Path) -> None:
    store = KnownHosts(tmp_path / "made" / "known_hosts")
    one, other, six = public(), public(), public()
    store.pin("web1.example", 22, one)
    store.pin("web1.example", 2222, other)
    store.pin("2001:db8::1", 22, six)
    assert store.fingerprints("web1.example", 22) == (one.get_fingerprint(),)
    assert store.fingerprints("web1.example", 2222) == (other.get_fingerprint(),)
    assert store.fingerprints("web1.example", 2223) == ()
    assert store.fingerprints("2001:db8::1", 22) == (six.get_fingerprint(),)
    assert (tmp_path / "made" / "known_hosts").stat().st_mode & 0o777 == 0o600


def test_forgetting_leaves_the_others(tmp_path: Path) -> None:
    store = KnownHosts(tmp_path / "known_hosts")
    store.pin("a", 22, public())
    store.pin("b", 22, public())
    assert store.forget("a", 22)
    assert not store.forget("a", 22)
    assert store.fingerprints("a", 22) == ()
    assert len(store.fingerprints("b", 22)) == 1


def test_the_users_own_file_is_trusted_and_never_written(tmp_path: Path) -> None:
    own = tmp_path / "users"
    key = public()
    own.write_text(f"a {key.export_public_key().decode()}")
    before = own.read_bytes()
    store = KnownHosts(tmp_path / "ours", also=own)
    assert store.fingerprints("a", 22) == (key.get_fingerprint(),)
    store.pin("a", 22, public())
    store.forget("a", 22)
    assert own.read_bytes() == before
    own.write_text("garbage")
    assert store.fingerprints("a", 22) == ()


def test_damage_in_our_own_file_is_not_overlooked(tmp_path: Path) -> None:
    path = tmp_path / "ours"
    path.write_text("garbage")
    with pytest.raises(ValueError, match="ours"):
        KnownHosts(path).pinned("a", 22)


@pytest.mark.parametrize("address", ["a b", "*", "a,b", "a\nb", "!a", "|1|x"])
def test_patterns_are_no_addresses(tmp_path: Path, address: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        KnownHosts(tmp_path / "ours").pinned(address, 22)
