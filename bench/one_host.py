"""What a process of its own does for `trivy`: assess the one host of a store, findings as JSON.

Apart from the benchmark, whose imports are none of the product's.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from suture.core.assessment.matching import match, names_of
from suture.core.documents import encode
from suture.services.knowledge import known_about
from suture.store import observations
from suture.store.query import open_for_reading


def main(path: str) -> None:
    store = open_for_reading(f"sqlite:///{path}")
    with store.query() as query:
        (inventory,) = observations.latest(query).values()
    knowledge = known_about(
        store, {inventory.os.release}, now=datetime.now(UTC), names=names_of([inventory])
    )
    sys.stdout.buffer.write(encode(match(inventory, knowledge.index)))


if __name__ == "__main__":
    main(sys.argv[1])
