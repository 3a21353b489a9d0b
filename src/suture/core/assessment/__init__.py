"""Which vulnerabilities are on which host: package sets against advisories."""
