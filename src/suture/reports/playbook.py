"""A plan as Ansible playbooks, there and back, and their inventory.

A play is a wave. Its batches (``serial``) are cut so that no limit of a service or jump host is
broken. Failures are counted by the playbook itself, over the whole wave: Ansible's own
``max_fail_percentage`` holds those of all plays so far against the size of one batch, and stops
hosts in the middle of their work. What comes from the plan is data of its hosts, marked
``!unsafe``, so that Ansible never takes any of it for a template.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from suture.core.inventory import Host
from suture.core.planning.plan import REBOOT_BUDGET_S, OnFailure, Plan, Wave
from suture.core.rollout.approvals import rules
from suture.reports.by_hand import ASKS_REBOOT, batches, commands, reboot

_SHELL = {"executable": "/bin/bash"}
_HEADER = """\
# Plan {id}: ansible-playbook -i inventory.yml {file}
#
# A play is a wave, one batch of hosts after the other. {about}
# A host that is done already is only looked at, so this may be run again. --check only looks.
# A host that cannot be reached counts as failed. Where the connection is lost in the middle of the
# work, and nobody else is left in the batch, Ansible ends the run.
"""
_THERE = """A host that fails is taken back,
# unless the plan leaves that to a person; more of a wave than may end the run, after its batch.
# The run ends with an error where any host failed."""
_BACK = """What the other playbook
# changed is taken back, the last wave first; the first failure ends the run, after its batch."""


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
    plays = [_local("The start", [_fact("It is judged at the end", "judged")])]
    for number, wave in enumerate(plan.waves):
        pause = plan.on_failure(wave) is OnFailure.PAUSE
        rescue = [_failure(), *([] if pause else _taken_back())]
        may_fail = 0 if pause else wave.max_failures
        tasks = [_begun(), {"block": _tasks(), "rescue": rescue}, _limit(number, may_fail)]
        plays += [*_waits(plan, wave), _play(plan, wave, number, tasks)]
        if wave.soak_s:
            plays.append(_soak(number, int(wave.soak_s)))
    plays.append(_end(plan, f"Then: suture verify --plan {plan.id}"))
    return _HEADER.format(id=plan.id, file="playbook.yml", about=_THERE) + _yaml(plays)


def way_back(plan: Plan) -> str:
    """YAML; takes back what the playbook did. Raises as it does."""
    plays = [_local("The start", [_fact("It is judged at the end", "judged")])]
    for number, wave in reversed(list(enumerate(plan.waves))):
        block = {"block": _back_tasks(), "rescue": [_failure()]}
        plays.append(_play(plan, wave, number, [_begun(), block, _limit(number, 0)]))
    plays.append(_end(plan, "See the runbook for the rest"))
    return _HEADER.format(id=plan.id, file="way-back.yml", about=_BACK) + _yaml(plays)


def inventory(plan: Plan, hosts: Mapping[str, Host], known_hosts: Path) -> str:
    """YAML: a group a wave, in its order, and of each host what is done there and how it is
    reached. Host keys count that are in ``known_hosts`` or in the person's own file."""
    groups = {
        _group(number): {
            "hosts": {name: _variables(plan, hosts[name], known_hosts) for name in wave.hosts}
        }
        for number, wave in enumerate(plan.waves)
    }
    return _yaml({"all": {"children": groups}})


def _group(number: int) -> str:
    return f"wave_{number + 1}"


def _play(plan: Plan, wave: Wave, number: int, tasks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": f"Wave {number + 1}, {wave.ring}",
        "hosts": _group(number),
        "order": "inventory",
        "become": True,
        "gather_facts": False,
        "serial": [len(batch) for batch in batches(plan, wave.hosts, wave.parallel)],
        "tasks": [_judged(), *tasks],
    }


def _judged() -> dict[str, Any]:
    """A limit that leaves this machine out would skip approvals and the end, and so pass."""
    return {
        "name": "This machine takes part",
        "ansible.builtin.assert": {
            "that": "hostvars['localhost']['suture_judged'] is defined",
            "fail_msg": "Add localhost to --limit: approvals and the end are there",
            "quiet": True,
        },
    }


def _tasks() -> list[dict[str, Any]]:
    todo = "found.rc != 0"
    return [
        *_look("Whether it is patched already", "patched"),
        _check("Versions before", "unpatched", todo),
        _check("Health before", "health", todo),
        _run("The way back is on disk", "bundle", todo),
        _run("The bytes of the plan", "download", todo),
        _fact("From here on it is changed", "changed", todo),
        _run("Install exactly these versions", "install", todo),
        _run("Restart", "restart", todo),
        *_reboot(todo),
        _check("Versions after", "patched", "not ansible_check_mode"),
        _check("Health after", "health", "not ansible_check_mode", retries=6),
        _fact("It is patched and well", "well"),
    ]


def _taken_back() -> list[dict[str, Any]]:
    """Of a host that failed after it was changed."""
    changed = "suture_changed | default(false)"
    return [
        _run("Way back", "way_back", changed),
        *_reboot(changed, by_rule="(rebooted is defined and rebooted is changed)"),
        _check("The kernel is that of before", "same_kernel", changed),
        _check("Versions are as before", "unpatched", changed),
        _check("Health is as before", "health", changed, retries=6),
    ]


def _back_tasks() -> list[dict[str, Any]]:
    todo = "found.rc != 0"
    return [
        *_look("Whether it is as before the plan", "unpatched"),
        _run("Way back", "way_back", todo),
        *_reboot(todo),
        _check("The kernel is that of before", "same_kernel", "not ansible_check_mode"),
        _check("Versions are as before", "unpatched", "not ansible_check_mode"),
        _check("Health is as before", "health", "not ansible_check_mode", retries=6),
        _fact("It is back and well", "well"),
    ]


def _look(title: str, variable: str) -> list[dict[str, Any]]:
    """``found.rc`` is 0 where it is so; an unreachable host ends here, as a failed one."""
    asked = _command(title, variable) | {
        "register": "found",
        "failed_when": False,
        "ignore_unreachable": True,
    }
    return [
        asked | _READS,
        {
            "name": "It answers",
            "ansible.builtin.assert": {"that": "found.rc is defined", "quiet": True},
        },
    ]


_READS = {"changed_when": False, "check_mode": False}


def _check(title: str, variable: str, when: str, *, retries: int = 0) -> dict[str, Any]:
    task = _run(title, variable, when) | _READS
    if retries:
        task |= {"register": "asked", "until": "asked.rc == 0", "retries": retries, "delay": 10}
    return task


def _run(title: str, variable: str, when: str) -> dict[str, Any]:
    """Where the host has something of the kind to do."""
    return _command(title, variable) | {"when": f"{when} and suture_{variable} != ''"}


def _command(title: str, variable: str) -> dict[str, Any]:
    shell = {"cmd": f"{{{{ suture_{variable} }}}}", **_SHELL}
    return {"name": title, "ansible.builtin.shell": shell}


def _reboot(when: str, by_rule: str = "suture_reboot == 'always'") -> list[dict[str, Any]]:
    """Where the plan lets the host say whether it needs one, and otherwise ``by_rule``."""
    asked = {"cmd": ASKS_REBOOT, **_SHELL}
    needed = "(suture_reboot == 'if-needed' and flag.rc == 0)"
    return [
        {
            "name": "Whether a reboot is asked for",
            "ansible.builtin.shell": asked,
            "register": "flag",
            "failed_when": False,
            "when": when,
        }
        | _READS,
        {
            "name": "Reboot",
            "ansible.builtin.reboot": {"reboot_timeout": "{{ suture_reboot_s }}"},
            "register": "rebooted",
            "when": f"{when} and ({by_rule} or {needed})",
        },
    ]


def _fact(title: str, name: str, when: str = "") -> dict[str, Any]:
    task: dict[str, Any] = {"name": title, "ansible.builtin.set_fact": {f"suture_{name}": True}}
    return task | ({"when": when} if when else {})


def _begun() -> dict[str, Any]:
    return _fact("It is this host's turn", "begun")


def _failure() -> dict[str, Any]:
    reason = "{{ ansible_failed_task.name }}: {{ ansible_failed_result.msg | default('failed') }}"
    return {"name": "It failed", "ansible.builtin.debug": {"msg": reason}}


def _failed(group: str) -> str:
    """A template: the hosts of the group whose turn was and that did not come to a good end."""
    return (
        f"{{{{ groups['{group}'] | map('extract', hostvars) "
        "| selectattr('suture_begun', 'defined') | rejectattr('suture_well', 'defined') "
        "| map(attribute='inventory_hostname') | list }}"
    )


def _limit(number: int, may_fail: int) -> dict[str, Any]:
    return {
        "name": f"At most {may_fail} of wave {number + 1} may fail",
        "ansible.builtin.assert": {
            "that": f"failed | length <= {may_fail}",
            "fail_msg": "Failed: {{ failed | join(', ') }}",
            "quiet": True,
        },
        "vars": {"failed": _failed(_group(number))},
        "run_once": True,
        "any_errors_fatal": True,
    }


def _end(plan: Plan, then: str) -> dict[str, Any]:
    task = {
        "name": "No host failed",
        "ansible.builtin.assert": {
            "that": "failed | length == 0",
            "fail_msg": f"Failed: {{{{ failed | join(', ') }}}}. {then}",
            "success_msg": then,
        },
        "vars": {"failed": _failed("all")},
    }
    return _local("The end", [task])


def _waits(plan: Plan, wave: Wave) -> list[dict[str, Any]]:
    """A person has to type it: without a terminal Ansible would go on by itself."""
    asked = [f"{rule.count} by {rule.role or 'anybody'}" for rule in rules(plan, wave)]
    if not asked:
        return []
    title, really = f"Approval of {wave.ring}", {"when": "not ansible_check_mode"}
    prompt = f"Needs {', '.join(asked)}; type yes where it is there"
    tasks = [
        {"name": title, "ansible.builtin.pause": {"prompt": prompt}, "register": "answer"} | really,
        {
            "name": "It is approved",
            "ansible.builtin.assert": {"that": "answer.user_input == 'yes'", "quiet": True},
        }
        | really,
    ]
    return [_local(title, tasks)]


def _soak(number: int, seconds: int) -> dict[str, Any]:
    title = f"Watch wave {number + 1}"
    pause = {"name": title, "ansible.builtin.pause": {"seconds": seconds}}
    return _local(title, [pause | {"when": "not ansible_check_mode"}])


def _local(title: str, tasks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": title,
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": tasks,
    }


def _variables(plan: Plan, host: Host, known_hosts: Path) -> dict[str, Any]:
    planned = plan.host(host.name)
    pinned = ["-o", f'UserKnownHostsFile=~/.ssh/known_hosts "{known_hosts}"']
    variables: dict[str, Any] = {
        "ansible_host": Unsafe(host.address),
        "ansible_port": host.port,
        "ansible_user": Unsafe(host.user),
        "ansible_ssh_common_args": Unsafe(shlex.join([*pinned, *_through(host, pinned)])),
        "suture_reboot": reboot(planned).value,
        "suture_reboot_s": int(planned.reboot_budget_s or REBOOT_BUDGET_S),
    }
    if host.key:
        variables["ansible_ssh_private_key_file"] = Unsafe(host.key)
    for name, lines in commands(plan, planned)._asdict().items():
        script = "\n".join(["set -ex", *lines]) if lines else ""
        variables[f"suture_{name}"] = Unsafe(script)
    return variables


def _through(host: Host, pinned: Sequence[str]) -> list[str]:
    """OpenSSH's own ``-J`` takes neither key nor known hosts along to the jump host."""
    if host.jump is None:
        return []
    key = ["-i", host.key] if host.key else []
    way = shlex.join(["ssh", *pinned, *key, "-W", "%h:%p", f"ssh://{host.jump}"])
    return ["-o", f"ProxyCommand={way}"]


def _yaml(document: Any) -> str:
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=10_000)
    return f"---\n{text}"
