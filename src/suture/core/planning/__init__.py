"""Policy, inventory, intelligence and time become a plan, which lint reads once more."""
