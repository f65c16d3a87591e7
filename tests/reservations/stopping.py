"""Stops one piece of work before each of its steps in turn, while another runs in between."""

import threading
from contextlib import contextmanager

from django.db import connection

BLOCKED = 0.05  # seconds after which the other one must be waiting for the stopped one
ENOUGH = 20


class Stop:
    """A place in the life of a transaction: before its n-th statement, or before its commit."""

    def __init__(self, number):
        self.number = number
        self.steps = []
        self.reached, self.go_on = threading.Event(), threading.Event()

    @contextmanager
    def watching(self):
        commit = connection.commit

        def stopping_commit():
            self.step("COMMIT")
            commit()

        connection.commit = stopping_commit
        try:
            with connection.execute_wrapper(self._statement):
                yield
        finally:
            connection.commit = commit
            self.reached.set()  # fewer steps than that

    def _statement(self, execute, sql, params, many, context):
        self.step(" ".join(sql.split()[:3]))
        return execute(sql, params, many, context)

    def step(self, name):
        self.steps.append(name)
        if len(self.steps) == self.number + 1:
            self.reached.set()
            assert self.go_on.wait(ENOUGH), "nobody let it go on"


class Work(threading.Thread):
    """Runs work on a connection of its own; ``result`` is what it returned or raised."""

    def __init__(self, work, stop=None):
        super().__init__()
        self.work, self.stop = work, stop or Stop(-1)
        self.result = None
        self.start()

    def run(self):
        try:
            with self.stop.watching():
                self.result = self.work()
        except Exception as problem:
            self.result = problem
        finally:
            connection.close()


def interleave(first, second, number):
    """Run ``second`` while ``first`` stands before a step; return both results and the steps.

    Where the second has to wait for the first, the first goes on meanwhile.
    """
    stop = Stop(number)
    stopped = Work(first, stop)
    assert stop.reached.wait(ENOUGH)
    other = Work(second)
    other.join(BLOCKED)
    stop.go_on.set()
    for work in (stopped, other):
        work.join(ENOUGH)
        assert not work.is_alive(), "it waits for ever"
    return stopped.result, other.result, stop.steps


def at_each_step(make_scene):
    """Interleave the two works of a new scene at every step of the first; yield each outcome.

    ``make_scene`` returns (scene, first, second); an outcome is (scene, result, result, steps).
    """
    number = 0
    while True:
        scene, first, second = make_scene()
        *results, steps = interleave(first, second, number)
        if number >= len(steps):  # it never came so far
            return
        yield (scene, *results, steps[: number + 1])
        number += 1
