"""An apt archive of the lab's own, signed, with the packages of :mod:`lab.packages`.

It is made once. Its signing key is made for it and thrown away, so nothing else can be signed.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from lab import packages, places

SUITE = "lab-security"
ORIGIN = "Suture Lab"
ORIGIN_PATTERN = f"{ORIGIN}:{SUITE}/main"
KEYRING = "suture-lab.gpg"
_ARCHITECTURES = ("amd64", "arm64")
_POOL = "pool/main"


def inputs_digest() -> str:
    """Changes with whatever decides the repository's content."""
    sources = (Path(packages.__file__), Path(__file__))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def repository() -> Path:
    """The archive's directory, built where it is not there yet."""
    target = places.cache() / f"repository-{inputs_digest()}"
    with places.locked(places.cache() / "repository.lock"):
        if not target.is_dir():
            part = Path(tempfile.mkdtemp(dir=places.cache(), prefix="part-"))
            try:
                _build(part)
                part.chmod(0o755)
                part.rename(target)
            except BaseException:
                shutil.rmtree(part)
                raise
    return target


def old_versions() -> tuple[Path, ...]:
    """The package files that hosts have installed when they boot."""
    pool = repository() / _POOL
    return tuple(
        pool / recipe.file_name for recipe in packages.recipes() if recipe.version == packages.OLD
    )


def _build(directory: Path) -> None:
    pool = directory / _POOL
    pool.mkdir(parents=True)
    stanzas = []
    for recipe in packages.recipes():
        deb = packages.build(recipe, pool)
        control = subprocess.run(
            ["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True
        ).stdout
        content = deb.read_bytes()
        stanzas.append(
            f"{control}Filename: {_POOL}/{deb.name}\nSize: {len(content)}\n"
            f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
        )
    for architecture in _ARCHITECTURES:
        index = directory / f"dists/{SUITE}/main/binary-{architecture}"
        index.mkdir(parents=True)
        (index / "Packages").write_text("\n".join(stanzas))
        (index / "Packages.gz").write_bytes(gzip.compress("\n".join(stanzas).encode(), mtime=0))
    _sign(directory / "dists" / SUITE, directory / KEYRING)


def _release(dists: Path) -> str:
    entries = [
        f" {hashlib.sha256(file.read_bytes()).hexdigest()} {file.stat().st_size} "
        f"{file.relative_to(dists)}"
        for file in sorted(dists.rglob("Packages*"))
    ]
    return (
        f"Origin: {ORIGIN}\nLabel: {ORIGIN}\nSuite: {SUITE}\nCodename: {SUITE}\n"
        f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S} UTC\n"
        f"Architectures: {' '.join(_ARCHITECTURES)}\nComponents: main\n"
        "Description: Packages that show what rehearsals are for\nSHA256:\n"
    ) + "".join(f"{entry}\n" for entry in entries)


def _sign(dists: Path, keyring: Path) -> None:
    """With a key that exists only in here."""
    with tempfile.TemporaryDirectory(prefix="suture-lab-key-") as home:
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback"]

        def run(*arguments: str | Path, text: str | None = None) -> None:
            command = [*gpg, *arguments]
            subprocess.run(command, check=True, input=text, text=True, capture_output=True)

        run("--passphrase", "", "--quick-generate-key", ORIGIN, "ed25519", "sign", "never")
        run("--output", keyring, "--export")
        (dists / "Release").write_text(_release(dists))
        run("--passphrase", "", "--clearsign", "--output", dists / "InRelease", dists / "Release")
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
    keyring.chmod(0o644)
