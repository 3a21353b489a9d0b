"""Invariants over any plan, whoever or whatever wrote it.

Apart from the planner on purpose: it trusts nothing that the planner computed, so a mistake there,
or in a plan that somebody edited, is found before a host is touched.
"""

from __future__ import annotations

from suture.core.planning.lint import hosts, waves
from suture.core.planning.lint.problems import Problem as Problem
from suture.core.planning.lint.problems import ProblemSeverity as ProblemSeverity
from suture.core.planning.plan import Plan


def lint(plan: Plan) -> tuple[Problem, ...]:
    """All problems of ``plan``: errors first, those of its order before those of its hosts."""
    problems = [problem for rule in (*waves.RULES, *hosts.RULES) for problem in rule(plan)]
    return tuple(sorted(problems, key=lambda problem: problem.severity is ProblemSeverity.WARNING))


def has_errors(problems: tuple[Problem, ...]) -> bool:
    return any(problem.severity is ProblemSeverity.ERROR for problem in problems)
