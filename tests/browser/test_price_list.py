"""A package is mapped to what its provider sells, by search, without a number being typed."""

from decimal import Decimal

import pytest
from django.urls import reverse

from orders.models import PackageRouting, ProviderCost
from tests.orders.factories import make_integration, make_listing, make_package

pytestmark = pytest.mark.browser


def test_a_number_is_found_by_name_and_saved_with_its_cost(make_page, admin_user):
    account = make_integration(name="زدنت")
    make_listing(account, "187:325", name="Çiçek 325")
    make_listing(account, "187:660", name="İnci 660", cost=Decimal("30.5"))
    package = make_package(account)
    page = make_page(admin_user)
    page.goto(reverse("admin:orders_package_change", args=[package.pk]))
    page.get_by_role("button", name="شروع ویرایش").click()
    field = page.locator("#id_routings-0-provider_package_id")
    field.fill("ınci ۶۶۰")
    page.get_by_role("option", name="İnci 660").wait_for()
    field.press("ArrowDown")
    field.press("Enter")
    assert field.input_value() == "187:660"
    page.locator("[name=_save]").click()
    page.wait_for_url("**/admin/orders/package/")

    assert PackageRouting.objects.get().provider_package_id == "187:660"
    assert ProviderCost.objects.get().cost == Decimal("30.5")
