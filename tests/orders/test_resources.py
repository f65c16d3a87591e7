import pytest
import tablib
from django.core.files.uploadedfile import SimpleUploadedFile
from django_q.models import OrmQ

from backoffice import locks
from orders.models import PackageRouting, ProductOrder, ProviderCost
from orders.resources import PackageRoutingResource, ProductOrderResource
from tests.orders.factories import (
    make_integration,
    make_listing,
    make_order,
    make_package,
    make_tenant,
)

pytestmark = pytest.mark.django_db
HEADINGS = ["tenant", "external_key", "package", "user_identifier", "extra_field"]


def bring(*rows, **kwargs):
    dataset = tablib.Dataset(*rows, headers=HEADINGS)
    return ProductOrderResource().import_data(dataset, user=None, **kwargs)


def messages(result):
    return [str(message) for row in result.invalid_rows for message in row.error.messages]


@pytest.fixture
def row():
    return (make_tenant().code, "A-1", make_package().code, "player", "")


def test_new_orders_come_in_with_price_and_queued_sending(row):
    result = bring(row)
    assert messages(result) == []
    order = ProductOrder.objects.get()
    assert (order.price, order.external_status, order.external_key) == (50, "pending", "A-1")
    assert [queued.task["args"] for queued in OrmQ.objects.all()] == [(order.pk,)]


def test_a_preview_leaves_neither_order_nor_task(row):
    bring(row, dry_run=True)
    assert (ProductOrder.objects.count(), OrmQ.objects.count()) == (0, 0)


def test_the_same_file_twice_makes_no_second_order(row):
    bring(row)
    result = bring(row)
    assert result.totals["skip"] == 1
    assert (ProductOrder.objects.count(), OrmQ.objects.count()) == (1, 1)


def test_a_known_number_with_other_content_is_refused(row):
    bring(row)
    result = bring((*row[:3], "somebody else", ""))
    assert len(messages(result)) == 1
    assert ProductOrder.objects.get().user_identifier == "player"


def test_one_wrong_row_keeps_the_whole_file_out(row):
    result = bring(row, (row[0], "A-2", "no-such-package", "player", ""))
    assert len(messages(result)) == 1
    assert ProductOrder.objects.count() == 0


@pytest.mark.parametrize(("place", "column"), [(0, "فروشگاه"), (2, "بسته")])
def test_an_empty_cell_that_must_be_filled_is_told_by_its_column(row, place, column):
    result = bring((*row[:place], "", *row[place + 1 :]))
    [message] = messages(result)
    assert f"ستون «{column}» خالی است" in message
    assert ProductOrder.objects.count() == 0


def test_an_order_without_a_number_of_the_tenant_is_refused(row):
    result = bring((row[0], "", *row[2:]))
    assert len(messages(result)) == 1
    assert ProductOrder.objects.count() == 0


def test_what_a_package_asks_for_is_asked_of_files_too(row):
    package = make_package(extra_field_label="phone")
    result = bring((row[0], "A-2", package.code, "player", ""))
    assert "phone" in messages(result)[0]


def test_an_export_holds_no_secret():
    order = make_order(make_package())
    ProductOrder.objects.filter(pk=order.pk).update(
        pin_code="PLANTED-PIN-4711", pin_last_four="4711"
    )
    exported = ProductOrderResource().export().csv
    assert str(order.public_id) in exported
    assert "4711" not in exported
    assert not {"pin_code", "pin_last_four", "claim_token"} & set(ProductOrderResource().fields)


def test_routings_of_a_package_that_is_being_edited_are_refused(make_user):
    integration = make_integration()
    package = make_package(integration)
    locks.acquire(type(package), package.pk, by=make_user("holder"), version=1)
    headings = ["package", "integration", "priority", "provider_package_id", "is_active"]
    row = (package.code, integration.code, 1, "187:999", 1)
    dataset = tablib.Dataset(row, headers=headings)
    result = PackageRoutingResource().import_data(dataset, user=None)
    assert len(messages(result)) == 1
    assert PackageRouting.objects.get().provider_package_id == "187:100"


def test_the_page_previews_a_persian_sheet_and_then_takes_its_orders(admin_client, admin_user, row):
    from django.urls import reverse

    from tests.backoffice.files import make_xlsx

    headings = ["فروشگاه", "شماره سفارش نزد فروشگاه", "بسته", "شناسه کاربر"]
    file = SimpleUploadedFile("orders.xlsx", make_xlsx(headings, row[:4]))
    address = reverse("admin:orders_productorder_import")
    preview = admin_client.post(address, {"import_file": file, "resource": ""})
    assert (ProductOrder.objects.count(), OrmQ.objects.count()) == (0, 0)
    confirmed = {**preview.context["confirm_form"].initial}
    admin_client.post(reverse("admin:orders_productorder_process_import"), confirmed)
    order = ProductOrder.objects.get()
    assert (order.created_by, order.external_key) == (admin_user, "A-1")
    assert OrmQ.objects.count() == 1


def test_a_brought_number_brings_its_cost_from_the_price_list():
    account, package = make_integration(), make_package()
    make_listing(account, "187:660", cost=7)
    headings = ["package", "integration", "priority", "provider_package_id"]
    row = (package.code, account.code, 1, "187:660")
    for dry_run in (True, False):
        dataset = tablib.Dataset(row, headers=headings)
        PackageRoutingResource().import_data(dataset, user=None, dry_run=dry_run)
        assert ProviderCost.objects.count() == (not dry_run)
    assert ProviderCost.objects.get().cost == 7
