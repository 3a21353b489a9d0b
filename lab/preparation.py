"""What makes one host of a root: its name, address, keys and sources."""

from __future__ import annotations

import base64
import shlex
from pathlib import Path

from lab import archive_server, repository

_HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"


def prepare_script(
    *,
    name: str,
    address: str,
    ssh_port: int,
    http_port: int,
    public_key: str,
    archive: archive_server.Archive,
) -> str:
    """A shell script that runs inside the host before it boots for the first time."""
    keyring = f"/etc/apt/keyrings/{repository.KEYRING}"
    key = base64.b64encode((repository.repository() / repository.KEYRING).read_bytes()).decode()
    resolv = shlex.quote(Path("/etc/resolv.conf").read_text())
    source = f"deb [signed-by={keyring}] {archive.url} {repository.SUITE} main"
    listen = f"listen {address}:{http_port} default_server;"
    return f"""
echo {shlex.quote(name)} >/etc/hostname
printf '127.0.0.1 localhost\\n%s %s\\n' {address} {shlex.quote(name)} >/etc/hosts
printf '%s' {resolv} >/etc/resolv.conf
ssh-keygen -q -t ed25519 -N '' -f {_HOST_KEY}
printf 'ListenAddress %s\\nPort %s\\nHostKey {_HOST_KEY}\\n' {address} {ssh_port} \\
    >/etc/ssh/sshd_config.d/lab.conf
mkdir -p -m 700 /root/.ssh
echo {shlex.quote(public_key)} >/root/.ssh/authorized_keys
chmod 600 /root/.ssh/authorized_keys
site=/etc/nginx/sites-available/default
if [ -e $site ]; then
    sed -i -e '/listen \\[::\\]/d' -e 's/listen 80 default_server;/{listen}/' $site
    echo {shlex.quote(name)} >/var/www/html/index.html
fi
for package in lab-greeter lab-notes; do
    [ -e /etc/$package.conf ] && sed -i 's/^listen=.*/listen={address}/' /etc/$package.conf
done
mkdir -p /etc/apt/keyrings
echo {key} | base64 -d >{keyring}
echo {shlex.quote(source)} >/etc/apt/sources.list.d/suture-lab.list
apt-get update -qq -o Dir::Etc::sourcelist=sources.list.d/suture-lab.list \\
    -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
"""
