"""A plan as an Ansible playbook and its inventory.

A play is a wave. Its batches (``serial``) are cut so that no limit of a service or jump host is
broken, and a failure beyond what the ring tolerates ends the run. What comes from the plan is data
of its hosts, marked ``!unsafe``, so that Ansible never takes any of it for a template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from suture.core.inventory import Host
from suture.core.planning.plan import Plan, Wave
from suture.core.rollout.approvals import rules
from suture.reports.by_hand import batches, commands, pinned

_SHELL = {"executable": "/bin/bash"}


class Unsafe(str):
    """Text that Ansible takes as it is."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"')
)


def playbook(plan: Plan) -> str:
    """YAML. Raises :class:`suture.reports.by_hand.NoRoomError`."""
    plays: list[dict[str, Any]] = []
    for number, wave in enumerate(plan.waves):
        plays += [*_waits(plan, wave), _play(plan, wave, number)]
        if wave.soak_s:
            plays.append(_pause(f"Watch wave {number + 1}", seconds=int(wave.soak_s)))
    return _yaml(plays)


def inventory(plan: Plan, hosts: Mapping[str, Host]) -> str:
    """YAML: a group a wave, in its order, and of each host what is done there."""
    groups = {
        _group(number): {"hosts": {name: _variables(plan, hosts[name]) for name in wave.hosts}}
        for number, wave in enumerate(plan.waves)
    }
    return _yaml({"all": {"children": groups}})


def _group(number: int) -> str:
    return f"wave_{number + 1}"


def _play(plan: Plan, wave: Wave, number: int) -> dict[str, Any]:
    tolerated = wave.max_failures if plan.rollback_on_failure else 0
    return {
        "name": f"Wave {number + 1}, {wave.ring}",
        "hosts": _group(number),
        "order": "inventory",
        "become": True,
        "gather_facts": False,
        "serial": [len(batch) for batch in batches(plan, wave.hosts, wave.parallel)],
        "max_fail_percentage": 100 * tolerated // max(1, len(wave.hosts)),
        "tasks": [{"block": _tasks(), "rescue": _rescue()}],
    }


def _tasks() -> list[dict[str, Any]]:
    return [
        _run("Versions and health before", "before", changed=False),
        _run("The way back is on disk", "bundle"),
        {"name": "From here on it has a way back", "ansible.builtin.set_fact": {"bundled": True}},
        _run("The bytes of the plan", "download"),
        {
            "name": "Install exactly these versions",
            "ansible.builtin.apt": {
                "name": "{{ suture_packages }}",
                "state": "present",
                "update_cache": False,
                "install_recommends": False,
                "fail_on_autoremove": True,
                "dpkg_options": "force-confold",
            },
        },
        _run("Restart", "restart"),
        {
            "name": "Whether a reboot is asked for",
            "ansible.builtin.stat": {"path": "/run/reboot-required"},
            "register": "asked",
        },
        {
            "name": "Reboot",
            "ansible.builtin.reboot": {"reboot_timeout": 900},
            "when": "suture_reboot == 'always' or "
            "(suture_reboot == 'if-needed' and asked.stat.exists)",
        },
        _run("Versions and health after", "after", changed=False, retries=6),
    ]


def _rescue() -> list[dict[str, Any]]:
    return [
        _run("Way back", "way_back") | {"when": "bundled | default(false)"},
        {
            "name": "It failed",
            "ansible.builtin.fail": {"msg": "Not patched; see the task that failed above."},
        },
    ]


def _run(title: str, variable: str, *, changed: bool = True, retries: int = 0) -> dict[str, Any]:
    task: dict[str, Any] = {
        "name": title,
        "ansible.builtin.shell": {"cmd": f"{{{{ suture_{variable} }}}}", **_SHELL},
    }
    if not changed:
        task["changed_when"] = False
    if retries:
        task |= {"register": "found", "until": "found.rc == 0", "retries": retries, "delay": 10}
    return task


def _waits(plan: Plan, wave: Wave) -> list[dict[str, Any]]:
    asked = [f"{rule.count} by {rule.role or 'anybody'}" for rule in rules(plan, wave)]
    if not asked:
        return []
    return [_pause(f"Approval of {wave.ring}", prompt=f"Needs {', '.join(asked)}; Return goes on")]


def _pause(title: str, **how: Any) -> dict[str, Any]:
    return {
        "name": title,
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"name": title, "ansible.builtin.pause": how}],
    }


def _variables(plan: Plan, host: Host) -> dict[str, Any]:
    planned = plan.host(host.name)
    made = commands(plan, planned)
    variables: dict[str, Any] = {
        "ansible_host": Unsafe(host.address),
        "ansible_port": host.port,
        "ansible_user": Unsafe(host.user),
        "suture_packages": [Unsafe(pinned(change)) for change in planned.changes],
        "suture_reboot": planned.reboot.value,
    }
    if host.key:
        variables["ansible_ssh_private_key_file"] = Unsafe(host.key)
    if host.jump:
        variables["ansible_ssh_common_args"] = Unsafe(f"-J {host.jump}")
    for name, lines in made._asdict().items():
        variables[f"suture_{name}"] = Unsafe("\n".join(["set -e", *lines]))
    return variables


def _yaml(document: Any) -> str:
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=10_000)
    return f"---\n{text}"
