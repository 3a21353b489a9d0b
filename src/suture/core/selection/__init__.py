"""Which updates are taken, with the closure that they need and a ledger of all others."""
