from __future__ import annotations

from docs import commands


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    """Where this fails: ``python -m docs.commands``."""
    assert commands.PAGE.read_text() == commands.page()
