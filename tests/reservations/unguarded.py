"""The office with its guard of a hold taken out, for the control of a storm, and nothing else.

It reads which seats are free, believes it, and writes without asking again.
"""

import time

from django.db.models import Q

from backoffice.wsgi import application
from reservations import holds
from reservations.models import Seat
from reservations.refusals import Refused

__all__ = ["application"]

hold = holds.hold


def hold_naively(event, seat_ids, **about):
    wanted = set(seat_ids)
    if Seat.objects.free().filter(pk__in=wanted).count() < len(wanted):
        raise Refused("in_the_way")
    time.sleep(0.1)
    return hold(event, wanted, **about)


holds.hold = hold_naively
holds.is_free = lambda: Q(pk__isnull=False)
