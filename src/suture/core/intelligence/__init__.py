"""What publishers say: advisories, enrichment, life cycles, and the index that asks them."""
