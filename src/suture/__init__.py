"""Suture closes vulnerabilities on server fleets."""

__version__ = "0.1.0"
