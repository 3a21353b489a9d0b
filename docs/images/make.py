"""Makes a picture of real output, as SVG, from a terminal's colours on standard input.

``FORCE_COLOR=1 COLUMNS=120 make demo >demo.log``, then
``.venv/bin/python docs/images/make.py FILE.svg TITLE FIRST [LAST] <demo.log``: from the first line
that has the words FIRST, up to the line before the next that has LAST.
"""

from __future__ import annotations

import io
import re
import sys
from itertools import dropwhile, takewhile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

WIDTH = 120

# Fonts come from the reader's own machine, not from somebody's server; spaces stay everywhere.
_FORMAT = re.sub(
    r"@font-face \{\{.*?\n    \}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL
).replace("<svg ", '<svg xml:space="preserve" ', 1)


def main(target: Path, title: str, first: str = "", last: str = "") -> None:
    shown = (Text.from_ansi(line.rstrip()) for line in sys.stdin)
    lines = dropwhile(lambda line: first not in line.plain, shown)
    out = Console(record=True, file=io.StringIO(), width=WIDTH)
    for line in takewhile(lambda line: not last or last not in line.plain, lines):
        out.print(line)
    target.write_text(out.export_svg(title=title, code_format=_FORMAT))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
