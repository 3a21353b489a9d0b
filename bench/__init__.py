"""Benchmarks: one script a claim, each measured beside what an administrator would run by hand."""
