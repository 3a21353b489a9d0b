"""The test-read of a return bundle, by this machine's own shell and tar."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from suture.hosts.shell import program, quote


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Configuration in ``etc`` beside the bundle that was made of it."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "a file").write_text("ours\n")
    (etc / "a file").chmod(0o640)
    (etc / "link").symlink_to("a file")
    made = tmp_path / "bundle"
    made.mkdir()
    (made / "config-roots").write_text(f"{etc}\n")
    run(made, 'config_manifest "$bundle/config-roots" >"$bundle/config-before"')
    run(made, f'tar -C / -cf "$bundle/config.tar" {str(etc)[1:]}')
    return made


def run(bundle: Path, script: str) -> str:
    head = program("common", "state", "reading", PLAN="", bundle=str(bundle))
    whole = f"{head}TX_DIR={quote(str(bundle.parent))}\n{script}\n"
    done = subprocess.run(["sh", "-c", whole], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout if done.returncode == 0 else f"{done.stdout}no"


def differs(bundle: Path) -> str:
    return run(bundle, 'configuration_differs "$bundle"')


def test_what_was_archived_reads_back(bundle: Path) -> None:
    assert differs(bundle) == ""
    assert not bundle.with_name("bundle.reading").exists()


def test_what_lvm_notes_of_its_own_work_is_no_configuration(bundle: Path) -> None:
    etc = bundle.parent / "etc"
    for name in ("archive/vg_00001.vg", "backup/vg", "lvm.conf"):
        file = etc / "lvm" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    run(bundle, 'config_manifest "$bundle/config-roots" >"$bundle/config-now"')
    found = (bundle / "config-now").read_text()
    assert f"{etc}/lvm/lvm.conf\n" in found
    assert "vg" not in found.replace(str(etc), "")


@pytest.mark.parametrize(
    "change",
    [
        "echo theirs >'$etc/a file'",
        "chmod 600 '$etc/a file'",
        "rm '$etc/link' && ln -s elsewhere '$etc/link'",
        "touch '$etc/more'",
        "rm '$etc/link'",
    ],
)
def test_what_is_not_as_it_was_recorded_is_named(bundle: Path, change: str) -> None:
    etc = bundle.parent / "etc"
    run(bundle, change.replace("$etc", str(etc)))
    run(bundle, f'tar -C / -cf "$bundle/config.tar" {str(etc)[1:]}')
    assert set(differs(bundle).split("\n")) & {f"{etc}/a file", f"{etc}/link", f"{etc}/more"}


def test_an_archive_that_cannot_be_read_is_told(bundle: Path) -> None:
    (bundle / "config.tar").write_bytes(b"no archive" * 100)
    assert differs(bundle) == "the archive itself"


def test_a_bundle_reads_where_it_is_complete_and_every_hash_fits(bundle: Path) -> None:
    run(bundle, 'write_sums "$bundle"')
    assert run(bundle, 'bundle_reads "$bundle"') == "no"
    (bundle / "complete").touch()
    run(bundle, 'rm "$bundle/sums"; write_sums "$bundle"')
    assert run(bundle, 'bundle_reads "$bundle"') == ""
    (bundle / "config-roots").write_text("/etc\n")
    assert run(bundle, 'bundle_reads "$bundle"') == "no"
