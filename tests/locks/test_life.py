"""Any life of a lock that people and pages can lead, beside a model of a few lines.

Three people with several pages each take, beat, leave, save, ask and take over in any order, while
the clock runs and holders are shut out. After each step the row says what the model says.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backoffice import lock_requests, locks
from backoffice.audit import LockEvent
from backoffice.editable import read
from inventory.models import ReceiptPermanent as Receipt
from tests.inventory.factories import make_receipt

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
PEOPLE = 3
PAGES = 4
BEAT, IDLE, HOLD = timedelta(minutes=5), timedelta(minutes=11), timedelta(hours=2)
GRACE, ANSWER = timedelta(seconds=5), timedelta(seconds=30)
# Around each bound, and what adds up to them.
TIMES = [timedelta(seconds=s) for s in (1, 4, 5, 26, 30, 60, 240, 299, 300, 420, 6900)]

HOLDER = -1  # the page that holds the lock, so that lives are not all refusals
page = st.one_of(st.just(HOLDER), st.integers(0, PAGES - 1))
person = st.integers(0, PEOPLE - 1)


@dataclass
class Page:
    owner: int
    version: int = 1
    token: str = ""
    ticket: str = ""


@dataclass
class Held:
    """A lock as the model sees it."""

    owner: int
    token: str
    started: object
    seen: object
    typed: object
    clicked: object
    left: object = None

    def ends(self):
        ends = [self.seen + BEAT, self.typed + IDLE, self.clicked + HOLD]
        return min([*ends, self.left + GRACE] if self.left else ends)


@dataclass
class Asked:
    asker: int
    ticket: str
    holder_token: str
    at: object
    told: object = None
    answer: str = ""


@dataclass
class Model:
    version: int = 1
    held: Held | None = None
    asked: Asked | None = None
    active: list = field(default_factory=lambda: [True] * PEOPLE)
    events: list = field(default_factory=list)

    def live(self, now):
        return bool(self.held) and self.active[self.held.owner] and now < self.held.ends()

    def note_end(self, now):
        """Record a lock that ended by itself, as whoever finds it does."""
        how = "given_back" if self.held.left else "ran_out"
        self.note(how, None, self.held.owner, min(self.held.ends(), now))

    def note(self, action, actor, holder, ended=None):
        self.events.append((action, actor, holder, ended))


class Life(RuleBasedStateMachine):
    clock = people = None  # set by the test

    @initialize()
    def begin(self):
        self.clock.instant = BEGIN  # each life begins alike
        get_user_model().objects.update(is_active=True)
        Receipt.objects.update(**locks.UNLOCKED)
        self.pk = make_receipt(lines=0).pk
        self.model = Model()
        self.pages = [Page(number % PEOPLE) for number in range(PAGES)]
        self.take(0)

    # What the model knows

    @property
    def now(self):
        return self.clock.instant

    def numbered(self, number):
        held = self.model.held
        holding = [page for page in self.pages if held and page.token == held.token]
        return holding[0] if number == HOLDER and holding else self.pages[max(number, 0)]

    def by(self, page):
        return self.people[page.owner]

    def is_mine(self, page):
        held = self.model.held
        return bool(held) and held.owner == page.owner and held.token == page.token

    def holds(self, page):
        return self.model.live(self.now) and self.is_mine(page)

    def refusal(self, page, *, own):
        """Return for what reason the model refuses a page, or None."""
        if self.model.live(self.now) and not own:
            return "other_tab" if self.model.held.owner == page.owner else "held"
        return None if page.version == self.model.version else "changed"

    def tries(self, work, expected):
        """Return what some work gives; it is refused for the expected reason, or not at all."""
        try:
            result = work()
        except locks.Refused as refused:
            assert refused.reason == expected
            return None
        assert expected is None
        return result

    def give(self, page, token):
        now = self.now
        page.token = token
        self.model.held = Held(page.owner, token, now, now, now, now)

    def taken(self, page, token):
        """Note a taking, of one's own live lock or of a free row."""
        held = self.model.held
        if self.holds(page):
            started, clicked = held.started, held.clicked
            self.give(page, token)
            self.model.held.started, self.model.held.clicked = started, clicked
            return
        if held:
            self.model.note_end(self.now)
        self.model.note("taken", page.owner, page.owner)
        self.give(page, token)

    # What people and pages do

    @rule(number=page)
    def load(self, number):
        self.numbered(number).version = self.model.version

    @rule(who=person)
    def work_in_bulk(self, who):
        """Change the document from a list, past the pages that show it."""
        locked = self.model.live(self.now) and self.model.held.owner != who
        with transaction.atomic():
            rows = Receipt.objects.filter(pk=self.pk)
            workable, left_out = locks.split(rows, by=self.people[who])
            assert [len(workable), len(left_out)] == [1 - locked, locked]
        self.model.version += not locked

    @rule(number=page)
    def take(self, number):
        page = self.numbered(number)
        expected = self.refusal(page, own=self.is_mine(page))
        how = {"by": self.by(page), "version": page.version, "own_token": page.token}
        token = self.tries(lambda: locks.acquire(Receipt, self.pk, **how), expected)
        if token:
            assert token != page.token
            self.taken(page, token)

    @rule(number=page, idle=st.sampled_from([None, *TIMES]), extend=st.booleans())
    def beat(self, number, idle, extend):
        page, held = self.numbered(number), self.model.held
        kept = locks.renew(
            Receipt, self.pk, token=page.token, by=self.by(page), idle=idle, extend=extend
        )
        assert kept is self.holds(page)
        if kept:
            held.seen = self.now
            if idle is not None:
                held.typed = max(held.typed, self.now - idle)
            if extend:
                held.clicked = held.typed = self.now
            self.be_told(page)

    def be_told(self, page):
        pending = lock_requests.pending(Receipt, self.pk, token=page.token)
        assert bool(pending) is self.is_asked(page)
        if pending:
            asked = self.model.asked
            asked.told = asked.told or self.now
            assert pending.seconds_left == (asked.told + ANSWER - self.now).total_seconds()

    @rule(number=page, other=person)
    def beat_as_another(self, number, other):
        page = self.numbered(number)
        if other != page.owner:
            assert not locks.renew(Receipt, self.pk, token=page.token, by=self.people[other])

    @rule(number=page)
    def leave(self, number):
        page = self.numbered(number)
        left = locks.leave(Receipt, self.pk, token=page.token, by=self.by(page))
        assert left is self.holds(page)
        if left:
            self.model.held.left = self.now

    @rule(number=page)
    def give_back(self, number):
        page = self.numbered(number)
        given = locks.release(Receipt, self.pk, token=page.token, by=self.by(page))
        assert given is self.holds(page)
        if given:
            self.model.note("given_back", page.owner, page.owner)
            self.model.held = None

    @rule(number=page)
    def save(self, number):
        page = self.numbered(number)
        expected = self.refusal(page, own=self.is_mine(page))
        how = {"by": self.by(page), "version": page.version, "token": page.token}

        def work():
            with transaction.atomic():
                return locks.require(Receipt, self.pk, **how)

        token = self.tries(work, expected)
        if token is None:
            return
        if token == page.token:
            assert self.holds(page)
            held = self.model.held
            held.seen = held.typed = self.now
            held.left = None
        else:
            assert not self.holds(page)
            self.taken(page, token)
        self.model.version += 1
        page.version = self.model.version

    @rule(number=page)
    def take_over(self, number):
        self.seize(self.numbered(number), "taken_over", anybody=True)

    @rule(number=page)
    def move(self, number):
        self.seize(self.numbered(number), "moved", anybody=False)

    def seize(self, page, action, *, anybody):
        held = self.model.held
        at_whom = self.model.live(self.now) and (anybody or held.owner == page.owner)
        expected = self.refusal(page, own=at_whom)
        how = {"by": self.by(page), "version": page.version}
        if anybody:
            how["reason"] = "x"
        step = locks.take_over if anybody else locks.move
        token = self.tries(lambda: step(Receipt, self.pk, **how), expected)
        if token and at_whom:
            self.model.note(action, page.owner, held.owner)
            self.give(page, token)
        elif token:
            self.taken(page, token)

    # Asking and answering

    def is_open(self):
        asked = self.model.asked
        if asked is None or asked.answer:
            return False
        return self.now < (asked.told + ANSWER if asked.told else asked.at + BEAT)

    def is_asked(self, page):
        return self.is_open() and self.model.asked.holder_token == page.token

    @rule(number=page)
    def ask(self, number):
        page, model = self.numbered(number), self.model
        expected = None if model.live(self.now) else "changed"
        taken = self.is_open() and model.held and model.asked.holder_token == model.held.token
        if expected is None and taken and model.asked.asker != page.owner:
            with pytest.raises(lock_requests.AlreadyAsked):
                lock_requests.ask(Receipt, self.pk, by=self.by(page))
            return
        ticket = self.tries(lambda: lock_requests.ask(Receipt, self.pk, by=self.by(page)), expected)
        if ticket:
            page.ticket = ticket
            model.asked = Asked(page.owner, ticket, model.held.token, self.now)
            model.note("requested", page.owner, model.held.owner)

    @rule(number=page, hand_over=st.booleans())
    def answer(self, number, hand_over):
        page, model = self.numbered(number), self.model
        answered = lock_requests.answer(
            Receipt, self.pk, token=page.token, by=self.by(page), hand_over=hand_over
        )
        assert answered is (self.holds(page) and self.is_asked(page))
        if not answered:
            return
        asked = model.asked
        asked.answer = "handed_over" if hand_over else "declined"
        model.note(asked.answer, page.owner, page.owner)
        if hand_over:
            model.note("taken", asked.asker, asked.asker)
            self.give(Page(asked.asker), asked.ticket)

    @rule(number=page)
    def look_after_the_answer(self, number):
        page, asked = self.numbered(number), self.model.asked
        state = lock_requests.state_of(Receipt, self.pk, ticket=page.ticket)
        if not (asked and page.ticket and asked.ticket == page.ticket):
            assert state == ""
            return
        held = self.model.held
        there = self.model.live(self.now) and held.token == asked.holder_token
        waiting = "waiting" if self.is_open() and there else "unanswered"
        assert state == (asked.answer or waiting)
        if state == "handed_over":
            page.token = page.ticket

    # What happens to them

    @rule(time=st.sampled_from(TIMES))
    def time_passes(self, time):
        self.clock.forward(time)

    @rule(who=person, active=st.booleans())
    def shut_out_or_let_in(self, who, active):
        get_user_model().objects.filter(pk=self.people[who].pk).update(is_active=active)
        self.model.active[who] = active

    @rule()
    def clean(self):
        stale = bool(self.model.held) and not self.model.live(self.now)
        assert locks.clear_stale(Receipt) == stale
        if stale:
            self.model.note_end(self.now)
            self.model.held = None

    @rule(who=person)
    def end_by_force(self, who):
        rows = Receipt.objects.filter(pk=self.pk)
        count = locks.force_release(rows, by=self.people[who], reason="x")
        assert count == bool(self.model.held)
        self.ended_by("forced", who)

    @rule(who=person)
    def log_out(self, who):
        mine = bool(self.model.held) and self.model.held.owner == who
        assert locks.release_all_of(self.people[who], [Receipt]) == mine
        if mine:
            self.ended_by("given_back", who)

    def ended_by(self, action, who):
        if self.model.live(self.now):
            self.model.note(action, who, self.model.held.owner)
        elif self.model.held:
            self.model.note_end(self.now)
        self.model.held = None

    # What must hold

    @invariant()
    @precondition(lambda self: hasattr(self, "pk"))
    def the_row_says_what_the_model_says(self):
        lock, held = read(Receipt, self.pk), self.model.held
        assert lock.version == self.model.version
        assert lock.live is self.model.live(self.now)
        if held is None:
            assert (lock.holder_id, lock.key) == (None, "")
            return
        assert lock.holder_id == self.people[held.owner].pk
        assert lock.key == locks.fingerprint(held.token)
        assert lock.started_at == held.started
        assert lock.ends_at == held.ends()
        opening = [page for page in self.pages if locks.fingerprint(page.token) == lock.key]
        assert len(opening) <= 1

    @invariant()
    @precondition(lambda self: hasattr(self, "pk"))
    def what_is_claimed_is_either_live_or_stale(self):
        rows = Receipt.objects.filter(pk=self.pk)
        live, stale = rows.live().exists(), rows.stale().exists()
        assert live is self.model.live(self.now)
        assert stale is (bool(self.model.held) and not live)

    @invariant()
    @precondition(lambda self: hasattr(self, "pk"))
    def every_change_of_hands_is_in_the_log(self):
        written = LockEvent.objects.filter(target_id=str(self.pk)).order_by("pk")
        numbers = {user.pk: number for number, user in enumerate(self.people)} | {None: None}
        assert [
            (event.action, numbers[event.actor_id], numbers[event.holder_id], event.ended_at)
            for event in written
        ] == self.model.events


def live_on(clock, make_user, *, examples, steps):
    Life.clock = clock
    Life.people = [make_user(f"person{number}") for number in range(PEOPLE)]
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_lock_lives_as_its_model_does(clock, make_user):
    live_on(clock, make_user, examples=20, steps=25)


@pytest.mark.storm
def test_a_lock_lives_long_as_its_model_does(clock, make_user):
    live_on(clock, make_user, examples=100, steps=50)
