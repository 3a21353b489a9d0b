"""The policy in force: a file, or the defaults."""

from __future__ import annotations

from pathlib import Path

from suture.core.policy import Policy, PolicyError, parse
from suture.core.yaml_reading import MAX_BYTES, line_of
from suture.services.errors import NotFoundError, ServiceError
from suture.services.files import read_at_most
from suture.services.suites import Suites
from suture.services.workspace import Workspace


def check(workspace: Workspace, path: Path | None = None) -> tuple[Policy, str]:
    """As :func:`load`, and with a look at the files that the policy names; what is not there is a
    :class:`suture.core.policy.PolicyError` as well."""
    policy, source = load(workspace, path)
    for place, problem in Suites.of_policy(policy).problems():
        key = ("suites", place, problem.key)
        text = (path or workspace.policy).read_text(encoding="utf-8")
        shown = f"suites[{place}].{problem.key}"
        raise PolicyError(source, line_of(text, key), shown, problem.message)
    return policy, source


def load(workspace: Workspace, path: Path | None = None) -> tuple[Policy, str]:
    """The policy and where it came from.

    ``path``, else ``policy.yaml`` in the workspace, else the defaults. Raises
    :class:`suture.core.policy.PolicyError` with file, line and key, or :class:`NotFoundError`.
    """
    chosen = path or workspace.policy
    try:
        data = read_at_most(chosen, MAX_BYTES)
    except FileNotFoundError:
        if path is not None:
            raise NotFoundError(
                f"no policy file {path}", "Write one: suture policy example > policy.yaml"
            ) from None
        return Policy(), "the built-in defaults"
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ServiceError(
            f"{chosen}: not UTF-8 text (byte {error.start})", "Save the policy as UTF-8."
        ) from None
    return parse(text, name=str(chosen)), str(chosen)
