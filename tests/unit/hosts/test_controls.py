"""The calls that a plan's controls become."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from suture.core.controls import Control, Mask, Module, Setting, SettingFormat, Sysctl
from suture.hosts.controls import each_control
from suture.hosts.shell import program
from suture.hosts.steps import UnfitPlanError, package_table
from tests.unit.core.builders import host_plan

_SYSCTL = Control(id="one", title="t", reason="r", sysctl=Sysctl("kernel.core_pattern", "|/x y"))
_MODULE = Control(id="two", title="t", reason="r", module=Module("algif_aead"))
_MASK = Control(id="three", title="t", reason="r", mask=Mask("a@b.service"))
_SETTING = Control(
    id="four",
    title="t",
    reason="r",
    setting=Setting(
        "/etc/x", "Key", "$(id) 'a' \"b\"", SettingFormat.INI, section="s t", validate="a | b; c"
    ),
)


def called(*controls: Control, fails: str = "") -> list[str]:
    """What each function is given, one argument a line."""
    functions = "".join(
        f"try_{kind}() {{ printf '%s\\n' {kind} \"$@\"; [ \"$1\" != '{fails}' ]; }}\n"
        for kind in ("sysctl", "module", "mask", "setting")
    )
    script = functions + each_control(controls) + 'each_control try || echo "failed: $control"\n'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_every_word_reaches_its_function_as_it_is() -> None:
    assert called(_SYSCTL) == ["sysctl", "one", "kernel.core_pattern", "|/x y"]
    assert called(_MODULE) == ["module", "two", "algif_aead"]
    assert called(_MASK) == ["mask", "three", "a@b.service"]
    assert called(_SETTING) == [
        *("setting", "four", "/etc/x", "ini", "s t", "Key", "$(id) 'a' \"b\"", "", "a | b; c"),
    ]


def test_the_first_that_fails_is_named_and_ends_it() -> None:
    assert called(_MODULE, _MASK, _SYSCTL, fails="three") == [
        *("module", "two", "algif_aead", "mask", "three", "a@b.service", "failed: three"),
    ]
    assert called() == []


@pytest.mark.parametrize(
    "control",
    [
        replace(_MODULE, id="../../x"),
        replace(_MODULE, module=Module("a;b")),
        replace(_SYSCTL, sysctl=Sysctl("kernel/x", "1")),
        replace(_MASK, mask=Mask("--now.service")),
    ],
)
def test_what_no_file_could_have_held_reaches_no_shell(control: Control) -> None:
    with pytest.raises(UnfitPlanError, match="not valid"):
        each_control([control])


# A kernel that a test can see into: its modules in a file, and a modprobe for them.
_KERNEL = """
loaded_modules() { cat "$kernel"; }
modprobe() {
    case $1 in
    -c) printf '%s\\n' "$config" ;;
    -r) sed "/^$3 /d" "$kernel" >"$kernel.new"; mv "$kernel.new" "$kernel" ;;
    *) echo "$2 16384 0 - Live 0x0" >>"$kernel" ;;
    esac
}
write_drop_in() { printf '%s' "$2" >"$kernel.drop-in"; }
module_file() { printf '%s' "$kernel.drop-in"; }
module_is_built_in() { [ "$1" = vfat ]; }
exec 3>&1
"""
_BLOCKED = "install algif_aead /bin/false"


class Kernel:
    """The verbs of the kind ``module`` on a kernel that has ``loaded`` modules: name → users."""

    def __init__(self, directory: Path, **loaded: int) -> None:
        self.directory = directory
        self.file = directory / "modules"
        self.file.write_text("".join(f"{k} 16384 {n} - Live 0x0\n" for k, n in loaded.items()))
        (directory / "controls").mkdir()

    def call(self, verb: str, *, reboot: str = "never", own: int = 1, config: str = "") -> str:
        head = program("common", "controls", OWN_KERNEL=own, REBOOT=reboot, config=config)
        head += program(kernel=str(self.file), new=str(self.directory), TX_DIR=str(self.directory))
        script = head + f"bundle=$new\n{_KERNEL}{verb}_module one algif_aead\n"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        return done.stdout

    @property
    def loaded(self) -> str:
        return self.file.read_text()


def test_a_module_that_nobody_uses_goes_and_comes_back(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, algif_aead=0, ext4=3)
    before = kernel.loaded
    assert "pass\talgif_aead is loaded and not in use" in kernel.call("probe")
    kernel.call("save")
    kernel.call("apply")
    assert "algif_aead" not in kernel.loaded
    assert "pass\talgif_aead is not loaded" in kernel.call("verify", config=_BLOCKED)
    assert kernel.call("pending") == ""
    kernel.call("revert")
    assert sorted(kernel.loaded.splitlines()) == sorted(before.splitlines())
    assert "\tpass\t" in kernel.call("compare")


def test_a_module_in_use_waits_for_a_reboot_that_has_to_be_allowed(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, algif_aead=2)
    assert "fail\talgif_aead is in use, and the policy forbids" in kernel.call("probe")
    assert "pass\talgif_aead is in use" in kernel.call("probe", reboot="if-needed")
    kernel.call("apply", reboot="if-needed")
    assert "the module algif_aead is still in use" in kernel.call("pending")
    assert "fail\talgif_aead is still loaded" in kernel.call("verify", config=_BLOCKED)


def test_a_module_that_another_file_lets_in_is_not_blocked(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    assert "pass\talgif_aead is not loaded" in kernel.call("probe")
    assert "is not as it was written" in kernel.call("verify")
    kernel.call("apply")
    said = kernel.call("verify", config="install algif_aead /sbin/insmod algif_aead")
    assert "fail\tanother file" in said


def test_a_module_that_was_loaded_and_does_not_come_back_is_said(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, algif_aead=0)
    kernel.call("save")
    kernel.call("apply")
    assert "fail\talgif_aead was loaded and is not" in kernel.call("compare")


def test_a_twin_leaves_the_kernel_alone(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, algif_aead=0)
    before = kernel.loaded
    for verb in ("probe", "save", "apply", "verify", "revert", "compare", "pending"):
        assert "fail" not in kernel.call(verb, own=0, config=_BLOCKED)
    assert kernel.loaded == before


def test_a_plan_of_controls_alone_has_no_packages() -> None:
    alone = host_plan("a", changes=(), controls=(_MODULE,))
    assert package_table(alone) == ""
    with pytest.raises(UnfitPlanError, match="changes nothing"):
        package_table(replace(alone, controls=()))
