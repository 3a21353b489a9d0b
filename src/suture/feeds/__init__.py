"""Publishers' feeds: one file a publisher, each turning its own format into advisories or
enrichment. What they share is in ``feed`` and ``fetching``."""
