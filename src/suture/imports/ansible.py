"""Ansible inventories, INI, YAML and what ``ansible-inventory --list`` prints, to hosts: groups
become labels.

Read: host ranges (``web[01:12]``), child groups, group and host variables for the connection
(``ansible_host``, ``ansible_port``, ``ansible_user``, ``ansible_ssh_private_key_file``, a
``ProxyJump`` in the ssh arguments), and Suture's own ``suture_service``, ``suture_criticality``,
``suture_exposure``, ``suture_ring``. Passwords are never taken over; they are named in the
warnings. Templates (``{{ … }}``) cannot be evaluated and are named as well.

The format: https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import msgspec
import yaml

from suture.core.documents import Document
from suture.core.inventory import Criticality, Exposure, Host

MAX_BYTES = 16 * 1024 * 1024
MAX_HOSTS = 200_000
_BUILT_IN_GROUPS = {"all", "ungrouped"}
_CONNECTION_ARGUMENTS = ("ansible_ssh_common_args", "ansible_ssh_extra_args")
_SECRETS = re.compile(r"pass(word)?$|secret|token", re.IGNORECASE)
_RANGE = re.compile(r"\[(\w+):(\w+)(?::(\d+))?\]")
_NAME = re.compile(r"[A-Za-z0-9_.:@-]{1,253}")
_GROUP = re.compile(r"[\w.-]{1,128}")
_PORT = re.compile(r"[0-9]{1,5}")
_ANY = re.compile(r".*", re.DOTALL)

EnumT = TypeVar("EnumT", bound=StrEnum)


class InventoryFileError(Exception):
    """The file cannot be read as an inventory; the message names file, line and key."""


class Variable(NamedTuple):
    """``place`` is the file and line where it is set."""

    text: str
    place: str


Variables = dict[str, Variable]


class ImportedHosts(Document, frozen=True):
    """The hosts in the file's order, and what was left aside or could not be understood."""

    hosts: tuple[Host, ...]
    warnings: tuple[str, ...]


class _Groups(msgspec.Struct):
    """The inventory as declared: variables and parents of groups and hosts."""

    host_variables: dict[str, Variables] = msgspec.field(default_factory=dict)
    host_groups: dict[str, list[str]] = msgspec.field(default_factory=dict)
    group_variables: dict[str, Variables] = msgspec.field(default_factory=dict)
    parents: dict[str, list[str]] = msgspec.field(default_factory=dict)

    def add_host(self, name: str, group: str, variables: Mapping[str, Variable]) -> None:
        self.host_variables.setdefault(name, {}).update(variables)
        groups = self.host_groups.setdefault(name, [])
        if group not in groups:
            groups.append(group)
        if len(self.host_variables) > MAX_HOSTS:
            raise InventoryFileError(f"more than {MAX_HOSTS} hosts; split the file")

    def add_child(self, parent: str, child: str) -> None:
        parents = self.parents.setdefault(child, [])
        if parent not in parents:
            parents.append(parent)


def parse(text: str, *, name: str) -> ImportedHosts:
    """Read an inventory; ``name`` is the file's name, for messages and to tell YAML from INI.

    A file that is neither named ``*.yml``/``*.yaml``/``*.json`` nor starts like YAML is INI.
    Raises :class:`InventoryFileError`.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InventoryFileError(f"{name}: larger than {MAX_BYTES // 1024 // 1024} MB")
    if "\0" in text:
        raise InventoryFileError(f"{name}: not a text file")
    is_yaml = name.endswith((".yml", ".yaml", ".json")) or bool(
        re.search(r"\A(\s*#.*\n|\s*\n)*(---|\w+:\s*$|\{)", text, re.MULTILINE)
    )
    groups = _read_yaml(text, name) if is_yaml else _read_ini(text, name)
    return _to_hosts(groups, name)


def _read_ini(text: str, name: str) -> _Groups:
    groups = _Groups()
    group, kind = "ungrouped", "hosts"
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            header = re.fullmatch(r"\[([\w.-]+)(?::(children|vars|hosts))?\]\s*([#;].*)?", line)
            if not header:
                raise InventoryFileError(
                    f"{name}:{number}: not a group header: {line[:80]!r}; "
                    "write [group], [group:children] or [group:vars]"
                )
            group, kind = header[1], header[2] or "hosts"
            continue
        try:
            _read_ini_line(groups, group, kind, line, f"{name}:{number}")
        except ValueError as error:
            raise InventoryFileError(f"{name}:{number}: {error}") from None
    return groups


def _read_ini_line(groups: _Groups, group: str, kind: str, line: str, place: str) -> None:
    if kind == "vars":
        key, separator, value = line.partition("=")
        if not separator:
            raise ValueError(f"expected key=value, found {line[:80]!r}")
        variable = Variable(value.strip().strip("'\""), place)
        groups.group_variables.setdefault(group, {})[key.strip()] = variable
        return
    if kind == "children":
        child = line.split("#")[0].strip()
        if not _GROUP.fullmatch(child):
            raise ValueError(f"not a group name: {child[:80]!r}")
        groups.add_child(group, child)
        return
    words = shlex.split(line, comments=True)
    if not words:
        return
    variables = {}
    for word in words[1:]:
        key, separator, value = word.partition("=")
        if not separator:
            raise ValueError(f"expected key=value after the host name, found {word[:80]!r}")
        variables[key] = Variable(value, place)
    for host in _expand(words[0]):
        groups.add_host(host, group, variables)


class _Mapping(dict[object, object]):
    """A mapping of a YAML file that knows the line of each key."""

    lines: Mapping[object, int] = MappingProxyType({})


class _Loader(yaml.SafeLoader):
    """Safe, and blind to vault secrets and other private tags: they are read as text."""

    def construct_lined(self, node: yaml.MappingNode) -> Iterator[_Mapping]:
        made = _Mapping()
        yield made
        made.update(self.construct_mapping(node))
        made.lines = {self.construct_object(key): key.start_mark.line + 1 for key, _ in node.value}


_Loader.add_multi_constructor("!", lambda loader, suffix, node: f"{{{{ !{suffix} }}}}")
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_lined)


def _read_yaml(text: str, name: str) -> _Groups:
    if re.search(r"^[^#]*[\s:\[-]\*\w+\s*$", text, re.MULTILINE):
        raise InventoryFileError(f"{name}: YAML aliases are not accepted in inventories")
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InventoryFileError(f"{name}: not readable as YAML: {error}") from None
    if not isinstance(document, _Mapping):
        raise InventoryFileError(f"{name}: expected groups at the top, for example `all:`")
    groups = _Groups()
    if "_meta" in document:
        _read_listing(groups, document, name)
        return groups
    for group, body, place in _items(document, name, "the file", name):
        _read_yaml_group(groups, group, body, name, place, depth=0)
    return groups


def _read_yaml_group(
    groups: _Groups, group: str, body: object, name: str, place: str, depth: int
) -> None:
    """``place`` is the file and line where the group's name stands."""
    if depth > 50:
        raise InventoryFileError(f"{place}: groups nested deeper than 50: {group[:80]!r}")
    if not _GROUP.fullmatch(group):
        raise InventoryFileError(f"{place}: not a group name: {group[:80]!r}")
    parts = {
        part: (content, where)
        for part, content, where in _items(
            body, place, f"group {group!r}", name, "hosts, children or vars"
        )
    }

    def items(part: str) -> Iterator[tuple[str, object, str]]:
        content, where = parts.get(part, (None, place))
        return _items(content, where, f"{group}.{part}", name)

    for host, variables, where in items("hosts"):
        try:
            names = list(_expand(host))
        except ValueError as error:
            raise InventoryFileError(f"{where}: group {group!r}: {error}") from None
        own = {
            key: Variable(str(value), at)
            for key, value, at in _items(variables, where, f"{group}.hosts", name)
        }
        for each in names:
            groups.add_host(each, group, own)
    for key, value, at in items("vars"):
        groups.group_variables.setdefault(group, {})[key] = Variable(str(value), at)
    for child, child_body, where in items("children"):
        groups.add_child(group, child)
        _read_yaml_group(groups, child, child_body, name, where, depth + 1)


def _read_listing(groups: _Groups, document: _Mapping, name: str) -> None:
    """Of ``ansible-inventory --list``: a group names its hosts and children, and all that is known
    of a host stands in ``_meta.hostvars``."""
    for group, body, place in _items(document, name, "the file", name):
        if not _GROUP.fullmatch(group):
            raise InventoryFileError(f"{place}: not a group name: {group[:80]!r}")
        for part, content, where in _items(body, place, f"group {group!r}", name):
            if (group, part) == ("_meta", "hostvars"):
                for host, variables, line in _items(content, where, "_meta.hostvars", name):
                    groups.add_host(
                        _host_name(host, line), "ungrouped", _own(variables, line, name)
                    )
            elif part == "vars":
                groups.group_variables[group] = _own(content, where, name)
            elif isinstance(content, list):
                for each in content:
                    if part == "hosts":
                        groups.add_host(_host_name(each, where), group, {})
                    elif part == "children":
                        groups.add_child(group, str(each))


def _host_name(name: object, place: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InventoryFileError(f"{place}: not a host name: {name!r:.80}")
    return name


def _own(variables: object, place: str, name: str) -> Variables:
    found = _items(variables, place, "variables", name)
    return {key: Variable(str(value), at) for key, value, at in found}


def _items(
    value: object, place: str, what: str, name: str, expected: str = "a mapping"
) -> Iterator[tuple[str, object, str]]:
    """Each key with its content and the file and line where it stands; ``place`` is that of
    ``value``."""
    if value is None:
        return
    if not isinstance(value, _Mapping):
        raise InventoryFileError(f"{place}: {what}: expected {expected}, found {value!r:.80}")
    for key, item in value.items():
        yield str(key), item, f"{name}:{value.lines.get(key, '?')}"


def _expand(pattern: str) -> Iterator[str]:
    """``web[01:03]`` → web01, web02, web03; ``db-[a:c]`` → db-a, db-b, db-c."""
    found = _RANGE.search(pattern)
    if not found:
        if not _NAME.fullmatch(pattern):
            raise ValueError(f"not a host name: {pattern[:80]!r}")
        yield pattern
        return
    first, last, step = found[1], found[2], int(found[3] or 1)
    if first.isdigit() and last.isdigit():
        numbers = range(int(first), int(last) + 1, max(step, 1))
        parts: list[str] = [str(number).zfill(len(first)) for number in numbers[: MAX_HOSTS + 1]]
    elif len(first) == len(last) == 1 and first.isalpha() and last.isalpha():
        parts = [chr(code) for code in range(ord(first), ord(last) + 1, max(step, 1))]
    else:
        raise ValueError(f"not a range: {found[0]}")
    if not parts or len(parts) > MAX_HOSTS:
        raise ValueError(f"empty or too large a range: {found[0]}")
    for part in parts:
        yield from _expand(pattern[: found.start()] + part + pattern[found.end() :])


def _ancestors(groups: _Groups, direct: list[str]) -> list[str]:
    """The direct groups and all groups above them, nearest first."""
    ordered: list[str] = []
    waiting = list(direct)
    while waiting:
        group = waiting.pop(0)
        if group not in ordered:
            ordered.append(group)
            waiting.extend(groups.parents.get(group, []))
    return ordered


def _to_hosts(groups: _Groups, name: str) -> ImportedHosts:
    hosts: list[Host] = []
    warnings: list[str] = []
    for host_name, own in groups.host_variables.items():
        lineage = _ancestors(groups, groups.host_groups[host_name])
        variables: Variables = dict(groups.group_variables.get("all", {}))
        for group in reversed(lineage):
            variables.update(groups.group_variables.get(group, {}))
        variables.update(own)
        labels = tuple(group for group in lineage if group not in _BUILT_IN_GROUPS)
        secret = sorted(key for key in variables if _SECRETS.search(key))
        if secret:
            warnings.append(
                f"{host_name}: {', '.join(secret)} not taken over; "
                "use an SSH key, and sudo without a password"
            )
        host = _to_host(host_name, variables, labels, warnings)
        if host:
            hosts.append(host)
    if not hosts and not warnings:
        raise InventoryFileError(f"{name}: no hosts found")
    return ImportedHosts(hosts=tuple(hosts), warnings=tuple(warnings))


def _to_host(
    name: str, variables: Variables, labels: tuple[str, ...], warnings: list[str]
) -> Host | None:
    def plain(key: str, default: str, allowed: re.Pattern[str] = _ANY) -> str:
        variable = variables.get(key)
        if variable is None or not variable.text:
            return default
        if "{{" in variable.text:
            warnings.append(f"{name}: {key} is a template and cannot be evaluated; ignored")
            return default
        if not allowed.fullmatch(variable.text):
            raise _refused(name, key, variable)
        return variable.text

    connection = variables["ansible_connection"].text if "ansible_connection" in variables else ""
    if connection not in ("", "ssh", "paramiko", "smart"):
        warnings.append(f"{name}: connection {connection!r} is not SSH; left")
        return None
    port = int(plain("ansible_port", "22", _PORT))
    if not 0 < port < 65536:
        raise _refused(name, "ansible_port", variables["ansible_port"])
    return Host(
        name=name,
        address=plain("ansible_host", name, _NAME),
        port=port,
        user=plain("ansible_user", "root", _GROUP),
        key=plain("ansible_ssh_private_key_file", "") or None,
        jump=_jump(variables),
        labels=labels,
        service=plain("suture_service", "", _GROUP) or None,
        criticality=_choice(name, variables, "suture_criticality", Criticality.MEDIUM),
        exposure=_choice(name, variables, "suture_exposure", Exposure.INTERNAL),
        ring=plain("suture_ring", "", _GROUP) or None,
    )


def _refused(host: str, key: str, variable: Variable, expected: str = "") -> InventoryFileError:
    return InventoryFileError(
        f"{variable.place}: host {host!r}: {key}: cannot be {variable.text!r:.80}{expected}"
    )


def _jump(variables: Variables) -> str | None:
    arguments = " ".join(variables[key].text for key in _CONNECTION_ARGUMENTS if key in variables)
    found = re.search(r"(?:-J\s*|ProxyJump[= ]\s*)([\w.@:-]+)", arguments)
    return found[1] if found else None


def _choice(host: str, variables: Variables, key: str, default: EnumT) -> EnumT:
    variable = variables.get(key)
    if variable is None:
        return default
    try:
        return type(default)(variable.text)
    except ValueError:
        choices = f"; expected one of {', '.join(type(default))}"
        raise _refused(host, key, variable, choices) from None
