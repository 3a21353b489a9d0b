"""Findings in the formats that other programs read: CSV, SARIF, CycloneDX with VEX."""
