"""Ansible inventories, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.inventory import Criticality, Exposure
from suture.imports.ansible import InventoryFileError, parse

INI = """\
bastion ansible_host=192.0.2.1
# the shop
[web]
web[01:03].example.com  ansible_user=deploy suture_service=shop
[db]
db-[a:b] ansible_port=2222 suture_criticality=critical
[production:children]
web
db
[production:vars]
ansible_ssh_common_args='-o ProxyJump=ops@bastion.example.com:2200'
suture_exposure=public
[db:vars]
ansible_become_password=hunter2
"""

YAML = """\
all:
  hosts:
    bastion: {ansible_host: 192.0.2.1}
  children:
    production:
      vars:
        suture_exposure: public
      children:
        web:
          hosts:
            web[01:02].example.com:
              ansible_user: deploy
        db:
          hosts:
            db-a:
              ansible_port: 2222
              ansible_password: !vault |
                $ANSIBLE_VAULT;1.1;AES256
                6238
"""


LISTED = """\
{
    "_meta": {
        "hostvars": {
            "db-a": {"ansible_port": 2222, "suture_criticality": "critical"},
            "web01": {"ansible_host": "192.0.2.7", "ansible_password": "hunter2"}
        }
    },
    "all": {"children": ["ungrouped", "production"]},
    "production": {"children": ["web", "db"]},
    "ungrouped": {"hosts": ["alone"]},
    "web": {"hosts": ["web01"], "vars": {"ansible_user": "deploy"}},
    "db": {"hosts": ["db-a"]}
}
"""


def test_what_ansible_inventory_lists_is_read() -> None:
    imported = parse(LISTED, name="standard input")
    seen = {host.name: (host.address, host.port, host.user, host.labels) for host in imported.hosts}
    assert seen == {
        "db-a": ("db-a", 2222, "root", ("db", "production")),
        "web01": ("192.0.2.7", 22, "deploy", ("web", "production")),
        "alone": ("alone", 22, "root", ()),
    }
    assert ["ansible_password" in warning for warning in imported.warnings] == [True]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"hosts": ["a b"]}', "f.json:1: not a host name: 'a b'"),
        ('{"hosts": [["a"]]}', "not a host name"),
        ("[1]", "group 'web': expected a mapping"),
    ],
)
def test_a_damaged_listing_is_refused_with_its_place(body: str, said: str) -> None:
    with pytest.raises(InventoryFileError, match=said):
        parse(f'{{"_meta": {{}}, "web": {body}}}', name="f.json")


def test_ini_groups_become_labels_and_variables_come_from_the_nearest_group() -> None:
    imported = parse(INI, name="hosts")
    by_name = {host.name: host for host in imported.hosts}
    assert list(by_name) == [
        "bastion",
        "web01.example.com",
        "web02.example.com",
        "web03.example.com",
        "db-a",
        "db-b",
    ]
    web = by_name["web02.example.com"]
    assert web.labels == ("web", "production")
    assert (web.user, web.service, web.exposure) == ("deploy", "shop", Exposure.PUBLIC)
    assert web.jump == "ops@bastion.example.com:2200"
    assert by_name["db-a"].port == 2222
    assert by_name["db-a"].criticality is Criticality.CRITICAL
    assert by_name["bastion"].address == "192.0.2.1"
    assert by_name["bastion"].labels == ()


def test_passwords_are_named_and_never_taken_over() -> None:
    imported = parse(INI, name="hosts")
    assert any("db-a: ansible_become_password not taken over" in line for line in imported.warnings)
    assert "hunter2" not in repr(imported)


def test_yaml_with_children_ranges_and_vault() -> None:
    imported = parse(YAML, name="hosts.yml")
    by_name = {host.name: host for host in imported.hosts}
    assert by_name["web02.example.com"].labels == ("web", "production")
    assert by_name["web02.example.com"].exposure is Exposure.PUBLIC
    assert by_name["db-a"].port == 2222
    assert any("ansible_password" in line for line in imported.warnings)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("[web\nfoo", "hosts", "hosts:1: not a group header"),
        ("[web]\na b", "hosts", "hosts:2: expected key=value"),
        ("[web]\na 'b", "hosts", "hosts:2: No closing quotation"),
        ("[web]\n$(reboot)", "hosts", "hosts:2: not a host name"),
        ("[web]\na[1:x]", "hosts", "hosts:2: not a range"),
        ("a ansible_port=99999", "hosts", "hosts:1: host 'a': ansible_port: cannot be '99999'"),
        ("a\nb ansible_host='b c'", "hosts", "hosts:2: host 'b': ansible_host: cannot be 'b c'"),
        (
            "[web]\na\n[web:vars]\nsuture_exposure=everyone",
            "hosts",
            "hosts:4: host 'a': suture_exposure: cannot be 'everyone'; expected one of isolated, ",
        ),
        (
            "all:\n  hosts:\n    a:\n      ansible_port: 0",
            "hosts.yml",
            "hosts.yml:4: host 'a': ansible_port: cannot be '0'",
        ),
        (
            "web:\n  hosts:\n    a:\n  vars:\n    suture_ring: no ring",
            "hosts.yml",
            "hosts.yml:5: host 'a': suture_ring: cannot be 'no ring'",
        ),
        ("", "hosts", "no hosts found"),
        ("all: [", "hosts.yml", "not readable as YAML"),
        ("all: [a]", "hosts.yml", "hosts.yml:1: group 'all': expected hosts, children or vars"),
        ("all:\n  hosts:\n    a:\n    b: 3", "hosts.yml", "hosts.yml:4: all.hosts: expected a"),
        ("all:\n  hosts:\n    a b:", "hosts.yml", "hosts.yml:3: group 'all': not a host name"),
        ("all:\n  vars: x", "hosts.yml", "hosts.yml:2: all.vars: expected a mapping, found 'x'"),
        (
            "all:\n  children:\n    web:\n      children:\n        a b:",
            "hosts.yml",
            "hosts.yml:5: not a group name: 'a b'",
        ),
        ("a: &a\n  hosts: *a", "hosts.yml", "aliases"),
        ("a\0b", "hosts", "not a text file"),
    ],
)
def test_errors_name_the_place(text: str, name: str, message: str) -> None:
    with pytest.raises(InventoryFileError, match=message.replace("[", r"\[")):
        parse(text, name=name)


@given(st.text(max_size=400), st.sampled_from(["hosts", "hosts.yml"]))
def test_garbage_is_refused_or_read_but_never_crashes(text: str, name: str) -> None:
    try:
        imported = parse(text, name=name)
    except InventoryFileError:
        return
    assert len(imported.hosts) + len(imported.warnings) > 0
