"""Real hosts on one machine, for the tests, the demo and the benchmarks."""
