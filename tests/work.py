"""What test tasks do in a real cluster: each run leaves a line in a file."""

import time


def note(path, word, seconds=0):
    """Write a line, then take some time."""
    with open(path, "a") as file:
        file.write(f"{word}\n")
    time.sleep(seconds)


def fail(path, word):
    note(path, word)
    raise ValueError("it went wrong")
