"""Test a queue that is bounded in bytes and in number."""

import threading

from mastra_core.logs.bounded_queue import BoundedQueue


def test_bytes_and_number_are_limited():
    queue = BoundedQueue(100, 4)
    assert queue.put("large", 500), "a single item may be larger than the queue"
    assert not queue.put("more", 1)
    assert queue.take() == ["large"]
    assert [queue.put(number, 30) for number in range(4)] == [True, True, True, False]
    assert queue.put("small", 10)
    assert not queue.put("empty", 0), "four items wait"
    assert (len(queue), queue.size) == (4, 100)


def test_items_are_taken_in_their_order_and_by_number_or_bytes():
    queue = BoundedQueue(1000)
    for number in range(6):
        queue.put(number, 100)
    assert queue.take(2) == [0, 1]
    assert queue.take(max_bytes=250) == [2, 3]
    assert queue.take(5, max_bytes=1) == [4], "one item in any case"
    assert (queue.take(), queue.take(), queue.size) == ([5], [], 0)


def test_threads_lose_nothing():
    queue, taken = BoundedQueue(10**9), []
    threads = [
        threading.Thread(target=lambda: [queue.put(number, 1) for number in range(5000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or len(queue):
        taken += queue.take(7)
    assert sorted(taken) == sorted(list(range(5000)) * 4)
    assert queue.size == 0
