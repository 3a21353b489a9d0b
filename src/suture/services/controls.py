"""The organisation's controls: one YAML file each, beside the policy, to be reviewed like it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from suture.core.assessment.mitigation import InForce
from suture.core.controls import Control, parse
from suture.core.documents import Document
from suture.core.yaml_reading import MAX_BYTES
from suture.services import fleet
from suture.services.collecting import clock
from suture.services.errors import NotFoundError, ServiceError
from suture.services.workspace import Workspace
from suture.store import events, knowledge


class ControlStatus(Document, frozen=True):
    """``in_force`` are the hosts where a rollout applied and verified the control of this id."""

    control: Control
    in_force: tuple[InForce, ...]


def listing(workspace: Workspace) -> tuple[ControlStatus, ...]:
    """All controls by id. Raises :class:`suture.core.yaml_reading.DocumentError` and
    :class:`ServiceError` naming the file that cannot be read."""
    files = sorted(workspace.controls.glob("*.yaml"))
    return _with_hosts(workspace, [_read(file) for file in files])


def get(workspace: Workspace, control_id: str) -> ControlStatus:
    """Raises :class:`NotFoundError`."""
    return _with_hosts(workspace, [_read(_file(workspace, control_id))])[0]


def chosen(workspace: Workspace, ids: Sequence[str]) -> tuple[Control, ...]:
    """The controls of ``ids``, each once; raises :class:`NotFoundError`."""
    return tuple(_read(_file(workspace, one)) for one in dict.fromkeys(ids))


def add(workspace: Workspace, path: Path, *, actor: str = "") -> tuple[Control, str]:
    """Keep the file as it is under the control's id, and tell whether it is ``added``,
    ``changed`` or ``unchanged``; the former two are logged. Raises as :func:`listing` does."""
    text = _text(path)
    control = parse(text, name=str(path))
    workspace.prepare()
    workspace.controls.mkdir(mode=0o700, exist_ok=True)
    file = workspace.controls / f"{control.id}.yaml"
    what = "added"
    if file.exists():
        what = "unchanged" if _text(file) == text else "changed"
    if what != "unchanged":
        with _logged(workspace, f"control.{what}", control.id, actor, control):
            fresh = file.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(file)
    return control, what


def remove(workspace: Workspace, control_id: str, *, actor: str = "") -> tuple[InForce, ...]:
    """Forget it; where it is in force it stays so, and those hosts are answered. Raises
    :class:`NotFoundError`."""
    file = _file(workspace, control_id)
    in_force = _in_force(workspace, control_id)
    with _logged(workspace, "control.removed", control_id, actor):
        file.unlink()
    return in_force


@contextmanager
def _logged(
    workspace: Workspace, kind: str, subject: str, actor: str, data: Control | None = None
) -> Iterator[None]:
    """What fails within is not logged, and what cannot be logged is not done."""
    with fleet.opened(workspace) as store, store.begin() as connection:
        events.append(connection, at=clock(), kind=kind, subject=subject, actor=actor, data=data)
        yield


def _file(workspace: Workspace, control_id: str) -> Path:
    known = {file.stem: file for file in workspace.controls.glob("*.yaml")}
    if control_id not in known:
        remedy = "List them: suture control list. Add one: suture control add FILE"
        raise NotFoundError(f"no control {control_id!r:.80}", remedy)
    return known[control_id]


def _read(file: Path) -> Control:
    control = parse(_text(file), name=str(file))
    if control.id != file.stem:
        remedy = "Rename the file, or add it anew: suture control add FILE"
        raise ServiceError(f"{file}: holds the control {control.id}", remedy)
    return control


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1).decode()
    except FileNotFoundError:
        remedy = "Name a YAML file with one control; docs/controls.md shows some."
        raise NotFoundError(f"no file {path}", remedy) from None
    except UnicodeDecodeError as error:
        raise ServiceError(
            f"{path}: not UTF-8 text (byte {error.start})", "Save the control as UTF-8."
        ) from None


def _with_hosts(workspace: Workspace, found: Sequence[Control]) -> tuple[ControlStatus, ...]:
    in_force = _in_force(workspace)
    return tuple(
        ControlStatus(control, tuple(one for one in in_force if one.control.id == control.id))
        for control in found
    )


def _in_force(workspace: Workspace, control_id: str | None = None) -> tuple[InForce, ...]:
    if not workspace.has_database:
        return ()
    with fleet.opened(workspace) as store, store.query() as query:
        found = knowledge.in_force(query)
    return tuple(one for one in found if control_id in (None, one.control.id))
