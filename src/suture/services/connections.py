"""Ways to the fleet's hosts, with the installation's pinned keys."""

from __future__ import annotations

from suture.core.policy import Concurrency
from suture.hosts.transport.connector import Connector
from suture.hosts.transport.known_hosts import FirstUse, KnownHosts
from suture.hosts.transport.settings import Ask, SshSettings
from suture.services.workspace import Workspace


def known_hosts(workspace: Workspace) -> KnownHosts:
    return KnownHosts.with_users_own(workspace.known_hosts)


def connector(
    workspace: Workspace,
    *,
    ask: Ask | None = None,
    accept_new: bool = False,
    concurrency: Concurrency,
) -> Connector:
    """``ask`` is called at the first sight of a host; without it and ``accept_new``, a host
    whose key is not pinned is refused."""
    first = FirstUse.ACCEPT_NEW if accept_new else FirstUse.ASK if ask else FirstUse.STRICT
    return Connector(
        known_hosts(workspace),
        settings=SshSettings(first_use=first),
        limits=concurrency,
        ask=ask,
    )
