"""Runs work over real connections, all at the same moment."""

import threading

from django.db import close_old_connections, connections


def at_once(work, count):
    """Run work(number) in threads that start together; return what each returned or raised."""
    barrier = threading.Barrier(count)
    results = [None] * count

    def run(number):
        close_old_connections()
        try:
            barrier.wait()
            results[number] = work(number)
        except Exception as problem:
            results[number] = problem
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
