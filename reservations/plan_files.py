"""The plan of an event's seats in a file: tables as the office reads them, and JSON.

In JSON a plan is ``{"seats": [{"number": "A1", "section": …, "row": …, "row_position": …,
"position": …, "price": …, "accessible": …}]}``, of which only the number is needed. ``"rows"`` is
shorter: ``{"rows": [{"row": "A", "price": 500000, "seats": ["A1", "A2"]}]}``, where each seat has
what its row has, and stands in the list as it does in the hall.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import tablib
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _t

from backoffice.import_files import CONTROL, CSV, format_of, make_dataset
from backoffice.import_guards import Unreadable, check_size, check_upload
from backoffice.import_rows import match_headings, row_errors
from backoffice.import_widgets import NotAllowed, listed, text_of
from backoffice.persian import digits_shown
from reservations.models import Seat
from reservations.resources import LAYOUT, PlanResource

JSON = "json"
COLUMNS = ("seat_number", *LAYOUT)
KEYS = {"number": "seat_number", **{name: name for name in LAYOUT}}
LEFT_OUT = ("row", "row_position", "position", "price")  # where empty, nothing was told of them
Cell = str | int | Decimal | bool | None
Known = dict[tuple[str, type, Cell], Any]  # what cells mean: most of a hall says the same


@dataclass
class Told:
    """A seat as a file tells of it; ``values`` has what it says, and no more."""

    row: int
    values: dict[str, Any]


@dataclass
class Plan:
    """The seats of a file by their numbers, and all that is wrong with it in words."""

    seats: dict[str, Told] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    read_as: str | None = None  # an encoding that only old programs write


def kind_of(file: Any) -> str:
    """Return the kind of an uploaded file; raise ``Unreadable`` by size, name and first bytes."""
    if not file.name.lower().endswith(f".{JSON}"):
        return str(check_upload(file))
    check_size(file)
    return JSON


def read(data: bytes, kind: str) -> Plan:
    """Return the plan that a file tells of; one that can't be read at all has its problem alone."""
    try:
        dataset = from_json(data) if kind == JSON else format_of(data)().create_dataset(data)
    except Unreadable as problem:
        return Plan(problems=[str(problem)])
    resource = PlanResource()
    for column in resource.fields.values():
        column.column_name = str(column.column_name)
    headings, problems = match_headings(resource, dataset.headers)
    plan = Plan(problems=problems, read_as=getattr(dataset, "read_as", None))
    known: Known = {}
    if not problems:
        for number, cells in zip(dataset.row_numbers, dataset, strict=True):
            _judge(plan, resource, number, dict(zip(headings, cells, strict=True)), known)
    return plan


def _judge(
    plan: Plan, resource: PlanResource, number: int, row: dict[str, Cell], known: Known
) -> None:
    """Put a row into the plan, or all that is wrong with it."""
    values, errors = _cells(resource, row, known)
    seat = Seat(**values)
    try:
        seat.clean_fields(exclude={"event", *errors, *(set(COLUMNS) - values.keys())})
    except ValidationError as problem:
        problem.update_error_dict(errors)
    first = plan.seats.get(seat.seat_number)
    if first and not errors:
        repeated = _t("It repeats row %(row)s.") % {"row": digits_shown(str(first.row))}
        errors["seat_number"] = ValidationError(repeated)
    if errors:
        plan.problems += row_errors(resource, number, row, ValidationError(errors)).messages
    else:
        plan.seats[seat.seat_number] = Told(number, values)


def _cells(
    resource: PlanResource, row: dict[str, Cell], known: Known
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the cells of a row say, and the errors of those that say nothing allowed."""
    values, errors = {}, {}
    for name, column in resource.fields.items():
        if column.column_name not in row:
            continue
        cell = row[column.column_name]
        if name in LEFT_OUT and not text_of(cell):
            continue
        key = (name, type(cell), cell)
        try:
            values[name] = known[key] if key in known else column.clean(row)
            known[key] = values[name]
        except NotAllowed as refusal:
            errors[name] = ValidationError(str(refusal), code="not_allowed")
        except ValidationError as refusal:
            errors[name] = refusal
    if "position" in values and str(resource.fields["row"].column_name) in row:
        values.setdefault("row", "")  # a seat that has its place stands in no row then
    return values, errors


# JSON


def from_json(data: bytes) -> tablib.Dataset:
    """Return the seats of a JSON file as rows, numbered as they follow; raise ``Unreadable``."""
    try:
        told = json.loads(
            data.decode("utf-8-sig"),
            parse_float=Decimal,
            parse_constant=_refuse,
            object_pairs_hook=_object,
        )
        _check_signs(told)
    except json.JSONDecodeError as error:
        where = {"line": digits_shown(str(error.lineno)), "sign": digits_shown(str(error.colno))}
        raise Unreadable(
            _t("The JSON file is damaged at line %(line)s, sign %(sign)s.") % where
        ) from error
    except Unreadable:
        raise
    except (ValueError, RecursionError) as error:
        raise Unreadable(_t("The JSON file is damaged.")) from error
    seats = list(_seats(told))
    keys = list(dict.fromkeys(key for seat in seats for key in seat))
    unknown = [key[:60] for key in keys if key not in KEYS]
    if unknown:
        raise Unreadable(
            _t("These keys are not known: %(keys)s. Known are: %(known)s.")
            % {"keys": listed(unknown), "known": listed(KEYS)}
        )
    headings = [KEYS[key] for key in keys]
    dataset = make_dataset([headings, *([seat.get(key) for key in keys] for seat in seats)])
    dataset.row_numbers = [number - 1 for number in dataset.row_numbers]
    return dataset


def _check_signs(told: Any) -> None:
    """Raise ``ValueError`` where JSON tells half a sign, which neither database nor page takes."""
    json.dumps(told, ensure_ascii=False, default=str).encode()


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    _check_signs(list(found))
    if len(found) != len(pairs):
        keys = [key for key, _value in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Unreadable(_t("The key “%(key)s” occurs twice in one object.") % {"key": twice[:60]})
    return found


def _seats(told: Any) -> Iterator[dict[str, Cell]]:
    if not isinstance(told, dict) or not told or told.keys() - {"seats", "rows"}:
        raise Unreadable(
            _t("A plan in JSON is one object with a list “seats”, or with a list “rows”.")
        )
    for seat in _list(told.get("seats", []), "seats"):
        yield _plain(seat)
    for row in _list(told.get("rows", []), "rows"):
        common = {key: value for key, value in _dict(row, "rows").items() if key != "seats"}
        for place, seat in enumerate(_list(row.get("seats"), "seats"), 1):
            own = seat if isinstance(seat, dict) else {"number": seat}
            yield _plain({"position": place, **common, **own})


def _list(value: Any, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable(_t("“%(key)s” has to be a list.") % {"key": key})
    return value


def _dict(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(_t("“%(key)s” has to be a list of objects.") % {"key": key})
    return value


def _plain(seat: Any) -> dict[str, Cell]:
    for key, value in _dict(seat, "seats").items():
        if isinstance(value, list | dict):
            raise Unreadable(_t("“%(key)s” of a seat is a list or an object.") % {"key": key[:60]})
        if isinstance(value, str) and CONTROL.search(value):
            raise Unreadable(
                _t("“%(key)s” of a seat has signs that are no text.") % {"key": key[:60]}
            )
    return seat


# Out


def as_csv(seats: Iterable[Seat]) -> bytes:
    """Return seats as a table with the headings of the page's language."""
    resource = PlanResource()
    columns = [resource.fields[name] for name in COLUMNS]
    dataset = tablib.Dataset(headers=[str(column.column_name) for column in columns])
    for seat in seats:
        dataset.append([column.export(seat) for column in columns])
    return bytes(CSV().export_data(dataset))


def as_json(seats: Iterable[Seat]) -> bytes:
    """Return seats as the list that ``read`` takes, one a line."""
    lines = [
        json.dumps({key: getattr(seat, name) for key, name in KEYS.items()}, ensure_ascii=False)
        for seat in seats
    ]
    return ('{"seats": [\n' + ",\n".join(lines) + "\n]}\n").encode()


def sample() -> list[Seat]:
    """Return seats of no event that show what goes where."""
    place = {"section": _t("Stalls"), "row": "A", "price": 500_000}
    return [
        Seat(seat_number="A1", position=1, **place),
        Seat(seat_number="A2", position=2, accessible=True, **place),
    ]
