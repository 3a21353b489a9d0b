"""Heartbeats and fences."""

import threading

from suture.store import workers
from suture.store.database import Store
from suture.store.workers import Worker

WORKER = Worker(id="w1", machine="control", pid=7)


def test_a_dismissed_worker_learns_it_from_its_next_heartbeat(store: Store) -> None:
    with store.begin() as connection:
        workers.enlist(connection, WORKER)
        assert workers.beat(connection, "w1")
        assert workers.is_listed(connection, "w1")
        assert workers.dismiss(connection, "w1")
        assert not workers.is_listed(connection, "w1")
        assert not workers.dismiss(connection, "w1")
        assert not workers.beat(connection, "w1")
        assert workers.listing(connection) == ()


def test_where_a_worker_is_at_home_is_kept(store: Store) -> None:
    bound = Worker(id="w2", machine="m", pid=8, jumps=("ops@bastion",), sites=("berlin",))
    with store.begin() as connection:
        for one in (WORKER, bound):
            workers.enlist(connection, one)
        free, kept = sorted(workers.listing(connection), key=lambda one: one.id)
    assert (free.jumps, free.sites, free.places) == ((), (), ("",))
    assert (kept.jumps, kept.sites) == (("ops@bastion",), ("berlin",))
    assert kept.places == ("ops@bastion", "label=berlin")


def test_the_current_fence_is_the_last_one_given(store: Store) -> None:
    with store.begin() as connection:
        assert workers.current_fence(connection, "web1") == 0
        assert [workers.next_fence(connection, "web1", "w1") for _ in range(3)] == [1, 2, 3]
        assert workers.next_fence(connection, "web2", "w1") == 1
        assert workers.current_fence(connection, "web1") == 3
        assert workers.next_fences(connection, {"web1", "web3"}, "w2") == {"web1": 4, "web3": 1}
        found = workers.current_fences(connection, ["web1", "web2", "web4"])
        assert found == {"web1": 4, "web2": 1}


def test_fences_grow_and_no_two_are_alike(store: Store) -> None:
    given: list[int] = []

    def taking() -> None:
        for _ in range(10):
            with store.begin() as connection:
                given.append(workers.next_fence(connection, "web1", "w1"))

    threads = [threading.Thread(target=taking) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(1, 41))
