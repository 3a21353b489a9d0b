"""Other scanners' reports: their findings, on whose host, and how they agree with ours."""
