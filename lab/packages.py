"""Two packages of the lab's own, each in a version that works and one that hurts.

``lab-greeter`` 1.1 breaks its service on every host: a rehearsal must catch it. ``lab-notes`` 1.1
works on empty data and dies on an old record: only a host that has one shows it. Their CVE numbers
lie in a year that has none.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

GREETER, NOTES = "lab-greeter", "lab-notes"
GREETER_CVE, NOTES_CVE = "CVE-2099-1001", "CVE-2099-1002"
OLD, NEW = "1.0", "1.1"
_MAINTAINER = "Suture Lab <lab@example.org>"


@dataclass(frozen=True)
class Recipe:
    """One version of a package. ``files`` are its content by path, below the root."""

    name: str
    version: str
    summary: str
    port: int
    files: dict[str, str]
    changelog: str

    @property
    def file_name(self) -> str:
        return f"{self.name}_{self.version}_all.deb"


def recipes() -> tuple[Recipe, ...]:
    return tuple(make(version) for make in (_greeter, _notes) for version in (OLD, NEW))


def build(recipe: Recipe, directory: Path) -> Path:
    """Build the package file in ``directory``; its path."""
    tree = directory / f"{recipe.name}-{recipe.version}"
    for path, content in (_control_files(recipe) | recipe.files).items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        target.chmod(0o755 if content.startswith("#!") else 0o644)
    documents = tree / "usr/share/doc" / recipe.name
    documents.mkdir(parents=True)
    (documents / "changelog.Debian").write_text(recipe.changelog)
    subprocess.run(["gzip", "-9n", documents / "changelog.Debian"], check=True)
    deb = directory / recipe.file_name
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", tree, deb], check=True, capture_output=True
    )
    subprocess.run(["rm", "-r", tree], check=True)
    return deb


def _control_files(recipe: Recipe) -> dict[str, str]:
    size = sum(len(content) for content in recipe.files.values()) // 1024 + 1
    conffiles = "".join(f"/{path}\n" for path in recipe.files if path.startswith("etc/"))
    return {
        "DEBIAN/control": (
            f"Package: {recipe.name}\nVersion: {recipe.version}\nArchitecture: all\n"
            f"Maintainer: {_MAINTAINER}\nInstalled-Size: {size}\nSection: web\n"
            "Priority: optional\nDepends: python3-minimal (>= 3.9), libpython3-stdlib\n"
            "Pre-Depends: init-system-helpers (>= 1.54~)\n"
            f"Description: {recipe.summary}\n"
            " A package of the Suture lab, for rehearsals only. The vulnerabilities that its\n"
            " changelog names are made up: their year has no assigned numbers.\n"
        ),
        "DEBIAN/conffiles": conffiles,
        "DEBIAN/postinst": _POSTINST.format(name=recipe.name),
        "DEBIAN/prerm": _PRERM.format(name=recipe.name),
        "DEBIAN/postrm": _POSTRM.format(name=recipe.name),
    }


# What debhelper writes for a package with a systemd service.
_POSTINST = """#!/bin/sh
set -e
if [ "$1" = configure ] || [ "$1" = abort-upgrade ]; then
    deb-systemd-helper unmask {name}.service >/dev/null || true
    if deb-systemd-helper --quiet was-enabled {name}.service; then
        deb-systemd-helper enable {name}.service >/dev/null || true
    else
        deb-systemd-helper update-state {name}.service >/dev/null || true
    fi
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload >/dev/null || true
        if [ -n "$2" ]; then
            deb-systemd-invoke restart {name}.service >/dev/null || true
        else
            deb-systemd-invoke start {name}.service >/dev/null || true
        fi
    fi
fi
"""

_PRERM = """#!/bin/sh
set -e
if [ -d /run/systemd/system ] && [ "$1" = remove ]; then
    deb-systemd-invoke stop {name}.service >/dev/null || true
fi
"""

_POSTRM = """#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = purge ]; then
    deb-systemd-helper purge {name}.service >/dev/null || true
    rm -rf /var/lib/{name}
fi
"""

_UNIT = """[Unit]
Description={summary}
After=network.target

[Service]
Type=notify
ExecStart=/usr/bin/python3 /usr/lib/{name}/serve.py
DynamicUser={dynamic}
ProtectSystem=full
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
"""

_READ_CONFIG = '''def read_config(path):
    """Lines of key=value; `#` begins a comment."""
    config = {}
    with open(path) as file:
        for line in file:
            key, mark, value = line.partition("#")[0].partition("=")
            if mark:
                config[key.strip()] = value.strip()
    return config
'''

_SERVE = """

def answer(body, kind):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = body(self.path).encode()
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    address = config.get("listen", "127.0.0.1"), int(config.get("port", "8080"))
    server = http.server.ThreadingHTTPServer(address, Handler)
    tell_init("READY=1")
    server.serve_forever()


def tell_init(state):
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(state.encode(), path.replace("@", "\\0", 1))
"""


def _changelog(name: str, *entries: tuple[str, str, str]) -> str:
    return "".join(
        f"{name} ({version}) lab-security; urgency={urgency}\n\n  * {text}\n\n"
        f" -- {_MAINTAINER}  Mon, 0{6 - number} Jan 2025 10:00:00 +0000\n\n"
        for number, (version, urgency, text) in enumerate(entries)
    )


def _greeter(version: str) -> Recipe:
    # 1.1 reads a setting that neither the old configuration file nor its own has.
    setting = {OLD: "", NEW: 'allowed = config["allowed_paths"].split()\n'}[version]
    check = {OLD: "", NEW: '    if path not in allowed:\n        return "no such page\\n"\n'}[
        version
    ]
    program = (
        '#!/usr/bin/python3\n"""Answers with a greeting."""\n'
        "import http.server\nimport os\nimport socket\n\n\n"
        + _READ_CONFIG
        + '\n\nconfig = read_config("/etc/lab-greeter.conf")\n'
        + setting
        + "\n\ndef greeting(path):\n"
        + check
        + "    return f\"{config['greeting']} from {socket.gethostname()}\\n\"\n"
        + _SERVE
        + '\n\nanswer(greeting, "text/plain")\n'
    )
    extra = {OLD: "", NEW: "# Since 1.1 the address must be one of this host's.\n"}[version]
    entries = [(OLD, "medium", "First version.")]
    if version == NEW:
        fixed = f"{GREETER_CVE}: answer only for known paths."
        entries.insert(0, (NEW, "high", f"Security update.\n    - {fixed}"))
    return Recipe(
        name=GREETER,
        version=version,
        summary="answers with a greeting over HTTP",
        port=8080,
        files={
            "usr/lib/lab-greeter/serve.py": program,
            "usr/lib/systemd/system/lab-greeter.service": _UNIT.format(
                name=GREETER, summary="Greeting over HTTP", dynamic="yes"
            ),
            "etc/lab-greeter.conf": f"{extra}greeting=Hello\nlisten=127.0.0.1\nport=8080\n",
        },
        changelog=_changelog(GREETER, *entries),
    )


def _notes(version: str) -> Recipe:
    # Notes written before authors were recorded have no such field.
    line = {
        OLD: "note['text'] + ' (' + note.get('author', 'unknown') + ')'",
        NEW: "note['text'] + ' (' + note['author'] + ')'",
    }[version]
    program = (
        '#!/usr/bin/python3\n"""Serves the notes that it keeps."""\n'
        "import http.server\nimport json\nimport os\nimport pathlib\nimport socket\n\n\n"
        + _READ_CONFIG
        + '\n\nconfig = read_config("/etc/lab-notes.conf")\n'
        'data = pathlib.Path("/var/lib/lab-notes/notes.json")\n'
        "notes = json.loads(data.read_text()) if data.exists() else []\n"
        f"lines = [{line} for note in notes]\n"
        + _SERVE
        + '\n\nanswer(lambda path: "\\n".join([f"{len(lines)} notes", *lines, ""]), "text/plain")\n'
    )
    entries = [(OLD, "medium", "First version.")]
    if version == NEW:
        fixed = f"{NOTES_CVE}: authors of notes could be forged."
        entries.insert(0, (NEW, "high", f"Security update.\n    - {fixed}"))
    return Recipe(
        name=NOTES,
        version=version,
        summary="keeps notes and serves them over HTTP",
        port=8090,
        files={
            "usr/lib/lab-notes/serve.py": program,
            "usr/lib/systemd/system/lab-notes.service": _UNIT.format(
                name=NOTES, summary="Notes over HTTP", dynamic="no"
            ),
            "etc/lab-notes.conf": "listen=127.0.0.1\nport=8090\n",
        },
        changelog=_changelog(NOTES, *entries),
    )
