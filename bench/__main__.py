"""``python -m bench`` lists the benchmarks; ``python -m bench NAME`` runs one."""

from __future__ import annotations

import argparse
import importlib
import json
import sys

from rich.console import Console

from bench.measure import Report, UnmetError, flat, show

NAMES = (
    "collect",
    "fanout",
    "sessions",
    "patch",
    "cli",
    "feeds",
    "fleet",
    "trivy",
    "versions",
    "ranking",
    "imports",
    "judge",
    "plan",
    "simulate",
    "rollout",
    "takeover",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=NAMES)
    parser.add_argument("--runs", type=_positive, help="measurements that the medians are of")
    parser.add_argument("--json", action="store_true", help="one flat object instead of a table")
    arguments = parser.parse_args()
    if arguments.name is None:
        return _list()
    module = importlib.import_module(f"bench.{arguments.name}")
    try:
        report: Report = module.run(arguments.runs or module.RUNS)
    except UnmetError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if arguments.json:
        print(json.dumps(flat(report)))
    else:
        show(report, Console())
    return 0


def _list() -> int:
    for name in NAMES:
        summary = (importlib.import_module(f"bench.{name}").__doc__ or "").splitlines()[0]
        print(f"{name:10} {summary}")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
