"""The scripts that a host is sent, run here on a tree of our own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from suture.hosts.transport import Result
from suture.twin.clone import archive_script, host_addresses, size_script
from suture.twin.package_files import PackageFilesError, file_name


def test_a_path_with_shell_in_it_stays_a_path() -> None:
    script = archive_script(("/srv/$(touch /owned)", "/a b/'c'"))
    checked = subprocess.run(["sh", "-n"], input=script, text=True, check=False)
    assert checked.returncode == 0
    assert "'--exclude=./srv/$(touch /owned)/*'" in script
    assert "'./srv/$(touch /owned)'" in script


def test_a_pattern_leaves_files_out_whole_and_a_directory_stays() -> None:
    script = archive_script(("/etc/ssh/ssh_host_*", "/var/log/"))
    assert "'--exclude=./etc/ssh/ssh_host_*'" in script
    assert "'--exclude=./var/log/*'" in script
    assert "find ./var/log -xdev" in script


def test_the_size_leaves_out_what_the_clone_leaves_out(tmp_path: Path) -> None:
    assert "'--exclude=/home/*/cache'" in size_script(("/home/*/cache",))


class Answering:
    name = "web-1"

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result:
        return Result(0, self._answer, b"")


async def test_addresses_are_the_hosts_own_and_nothing_else() -> None:
    answer = (
        b"1: lo    inet 127.0.0.1/8 scope host lo\n"
        b"2: eth0    inet 10.1.2.3/24 brd 10.1.2.255 scope global eth0\n"
        b"2: eth0    inet6 2001:db8::7/64 scope global \n"
        b"2: eth0    inet6 fe80::1/64 scope link \n"
        b"3: evil    inet 999.1.1.1/8 inet $(reboot)/8\n"
    )
    found = await host_addresses(Answering(answer))  # type: ignore[arg-type]
    assert found == ("10.1.2.3", "2001:db8::7")


def test_a_file_name_is_as_apt_writes_it() -> None:
    assert file_name("nginx", "1:1.22-1~deb12u1", "amd64") == "nginx_1%3a1.22-1~deb12u1_amd64.deb"


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "a/b", "", ".hidden", "x\n"])
def test_a_file_name_never_leaves_its_directory(name: str) -> None:
    with pytest.raises(PackageFilesError, match="no valid package file"):
        file_name(name, "1.0", "all")
