"""Which seats a reservation is to be moved from and to, as staff chose them on its page."""

from itertools import groupby, pairwise

from django.utils.functional import cached_property

from reservations.models import Seat, State
from reservations.refusals import Refused

FREE = (State.AVAILABLE, State.RUN_OUT)
ORDER = ("row_position", "section", "row", "position", "natural_number")


class Choice:
    """The seats of an event, with those that were chosen ticked."""

    def __init__(self, reservation, data):
        self.reservation = reservation
        self.is_made = "from" in data or "to" in data
        self.wanted_from = keys(data.getlist("from"))
        self.wanted_to = keys(data.getlist("to"))

    @cached_property
    def seats(self):
        rows = Seat.objects.with_state().filter(event=self.reservation.event_id).order_by(*ORDER)
        seats = list(rows)
        for seat in seats:
            seat.is_own = seat.reservation_id == self.reservation.pk
            seat.is_free = seat.state in FREE
        return seats

    @cached_property
    def own(self):
        return [seat for seat in self.seats if seat.is_own]

    @cached_property
    def leaving(self):
        return [seat for seat in self.seats if seat.pk in self.wanted_from]

    @cached_property
    def coming(self):
        return [seat for seat in self.seats if seat.pk in self.wanted_to]

    @property
    def difference(self):
        """What the new seats cost more; negative where they cost less."""
        return sum(seat.price for seat in self.coming) - sum(seat.price for seat in self.leaving)

    @property
    def difference_back(self):
        return -self.difference

    def problems(self):
        """Return in words why nothing can be moved like this."""
        if self.is_made and (not self.leaving or len(self.leaving) != len(self.coming)):
            return [Refused("uneven").message]
        return []

    @property
    def is_ready(self):
        """Whether all that is left is to agree: the seats were all right when they were read."""
        return (
            self.is_made
            and not self.problems()
            and all(seat.is_own for seat in self.leaving)
            and all(seat.is_free for seat in self.coming)
        )

    def was_done(self):
        """Return whether the reservation has these seats by now: a click came twice."""
        own = set(self.reservation.seats.values_list("pk", flat=True))
        return self.wanted_to <= own and not self.wanted_from & own

    def plan(self):
        """Return the rows of the plan that have a free seat, each with all its seats."""
        rows = []
        for (section, row), group in groupby(self.seats, lambda seat: (seat.section, seat.row)):
            seats = list(group)
            for before, seat in pairwise(seats):
                seat.after_aisle = seat.position > before.position + 1
            free = [seat for seat in seats if seat.is_free]
            prices = {seat.price for seat in free}
            if free:
                name = {"section": section, "row": row, "seats": seats}
                rows.append(name | {"price": prices.pop() if len(prices) == 1 else None})
        return rows

    def ticked(self):
        """Return the keys of the boxes that are ticked; a reservation of one seat gives that up."""
        if self.is_made or len(self.own) != 1:
            return self.wanted_from | self.wanted_to
        return {self.own[0].pk}


def keys(values):
    return {
        int(value) for value in values if value.isascii() and value.isdecimal() and len(value) < 19
    }
