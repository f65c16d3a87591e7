"""The list of seats as a browser uses it."""

from django.urls import reverse

SEATS = reverse("admin:reservations_seat_changelist")


def act(browser, action, seats, **fields):
    data = {"action": action, "_selected_action": [seat.pk for seat in seats], **fields}
    return browser.post(SEATS, data, follow=True)


def said(response):
    return " ".join(str(message) for message in response.context["messages"])


def names(response):
    return [seat.seat_number for seat in response.context["cl"].result_list]
