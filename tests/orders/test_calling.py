"""Calls under way: bounded in all, and of one integration to its share."""

import threading
import time
from collections import Counter

import pytest

from orders.calling import AHEAD, CONNECTIONS, SHARE, STEP, Calls, keep_busy


class Provider:
    """Something to call that hangs until it is let go, and counts who is in it."""

    def __init__(self):
        self.inside = self.most = 0
        self.lock = threading.Lock()
        self.gate = threading.Event()

    def __call__(self, item):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.gate.wait(10)
        with self.lock:
            self.inside -= 1
        return item


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.gate.set()


def no_failure(answer):
    return False


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


def take_all(calls):
    answered = []
    while calls:
        answered += calls.answered()
    return answered


def test_one_integration_gets_its_share_of_the_connections_and_others_the_rest(provider):
    with Calls(no_failure) as calls:
        for number in range(3 * SHARE):
            calls.begin(1, provider, number)
        wait_until(lambda: provider.inside == SHARE)
        for number in range(SHARE):
            calls.begin(2, str, number)
        others = []
        while len(others) < SHARE:
            others += calls.answered()
        assert (provider.most, calls.free(1), calls.room(1)) == (SHARE, 0, 0)
        provider.gate.set()
        assert len(take_all(calls)) == 3 * SHARE


def test_all_integrations_together_get_no_more_than_the_connections(provider):
    with Calls(no_failure) as calls:
        for integration in range(8):
            for number in range(calls.room(integration)):
                calls.begin(integration, provider, number)
        wait_until(lambda: provider.inside == CONNECTIONS)
        assert (calls.free(9), calls.room(9)) == (0, STEP)  # for the next threads that come back
        provider.gate.set()
        assert len(take_all(calls)) == CONNECTIONS + 4 * STEP
    assert provider.most == CONNECTIONS


def test_work_that_found_no_thread_is_taken_by_the_next_that_is_free(provider):
    with Calls(no_failure) as calls:
        for integration in range(4):
            for number in range(SHARE):
                calls.begin(integration, provider, number)
        calls.begin(9, str, "late")
        provider.gate.set()
        assert (9, "late") not in take_all(calls)
        assert len(calls) == 0


def test_of_a_provider_that_answers_more_is_taken_ahead():
    with Calls(no_failure) as calls:
        assert calls.room(1) == SHARE
        for number in range(SHARE):
            calls.begin(1, str, number)
        take_all(calls)
        assert SHARE < calls.room(1) <= AHEAD


def test_what_waits_for_a_provider_that_fails_comes_back_uncalled(provider):
    with Calls(lambda answer: True) as calls:
        for number in range(2 * SHARE):
            calls.begin(1, provider, number)
        wait_until(lambda: provider.inside == SHARE)
        provider.gate.set()
        answers = [answer for _item, answer in take_all(calls)]
    assert answers.count(None) == SHARE


def test_a_fault_of_ours_in_a_thread_is_raised_where_its_answer_is_awaited():
    with Calls(no_failure) as calls:
        calls.begin(1, lambda item: 1 // item, 0)
        with pytest.raises(ZeroDivisionError):
            take_all(calls)


def test_a_fifth_busy_integration_gets_as_much_as_the_others():
    served, lock = Counter(), threading.Lock()

    def call(integration):
        time.sleep(0.02)
        with lock:
            served[integration] += 1

    def begin(calls):
        for integration in range(5):
            for _number in range(calls.room(integration)):
                calls.begin(integration, call, integration)
        return 1

    keep_busy(begin, lambda answered: None, no_failure, 2)
    assert min(served.values()) > max(served.values()) / 4


def test_an_integration_that_ran_dry_among_busy_ones_gets_as_far_ahead_as_before(provider):
    with Calls(no_failure) as calls:
        for number in range(20):
            calls.begin(9, str, number)
        take_all(calls)
        usual = calls.room(9)
        for integration in range(4):
            for number in range(SHARE):
                calls.begin(integration, provider, number)
        assert calls.free(9) == 0
        assert calls.room(9) == usual
        provider.gate.set()


def test_what_waits_for_a_thread_comes_back_uncalled_when_it_is_recalled(provider):
    with Calls(no_failure) as calls:
        for number in range(2 * SHARE):
            calls.begin(1, provider, number)
        wait_until(lambda: provider.inside == SHARE)
        calls.recall()
        provider.gate.set()
        answers = [answer for _item, answer in take_all(calls)]
    assert answers.count(None) == SHARE
