"""Counts: the last one holds, and an item is counted once."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from inventory.models import CountLine, StocktakingRecord
from tests.inventory.factories import make_party, make_stocktaking


@pytest.fixture
def line(db):
    return make_stocktaking().lines.get()


@pytest.mark.parametrize(
    ("counts", "final", "variance"),
    [
        ((None, None, None), None, None),
        (("12", None, None), 12, 2),
        (("12", "9", None), 9, -1),
        (("12", "9", "10"), 10, 0),
    ],
)
def test_the_last_count_is_the_one_that_holds(line, counts, final, variance):
    line.count_1, line.count_2, line.count_3 = (c and Decimal(c) for c in counts)

    line.full_clean()
    line.save()

    line.refresh_from_db()
    assert (line.final_count, line.variance) == (final, variance)


def test_an_item_of_an_owner_is_counted_once(line):
    with pytest.raises(IntegrityError), transaction.atomic():
        CountLine.objects.create(record=line.record, item=line.item)

    CountLine.objects.create(record=line.record, item=line.item, owner=make_party())
    assert line.record.lines.count() == 2


def test_a_count_below_zero_is_refused(line):
    line.count_1 = Decimal(-1)

    with pytest.raises(ValidationError) as refused:
        line.full_clean()

    assert list(refused.value.error_dict) == ["count_1"]
    with pytest.raises(IntegrityError), transaction.atomic():
        CountLine.objects.update(count_1=-1)


def test_a_record_is_known_by_its_temporary_number(line):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_stocktaking(draft_number=line.record.draft_number)

    assert StocktakingRecord.objects.count() == 1
