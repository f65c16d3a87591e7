"""Every page of the admin, rendered: what a new model or admin adds is in it on arrival."""

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import NoReverseMatch, reverse

from orders import limits
from tests.backoffice import factories as backoffice
from tests.inventory import factories as inventory
from tests.orders import factories as orders
from tests.orders.sendings import make_sending
from tests.reservations import factories as reservations

OF_A_MODEL = ("changelist", "add", "import", "export")
OF_A_ROW = ("change", "history", "delete")


def fill_the_office():
    """Make a row or more of what staff work with."""
    inventory.make_receipt()
    inventory.make_stocktaking()
    event = reservations.make_event(seats=3, name="کنسرت بهار")
    cashier = get_user_model().objects.create_user("shop", first_name="نرگس")
    reservations.make_sale(cashier, event=event, customer="سارا احمدی")
    integration = orders.make_integration(name="تأمین‌کنندهٔ نمونه")
    orders.make_order(orders.make_package(integration))
    make_sending(integration, milliseconds=1200)
    limits.read()  # makes their states
    orders.make_listing(integration, "187:100", name="الماس نمونه", previous_cost=8)
    orders.make_token(by=cashier)
    orders.Tenant.objects.update(name="فروشگاه نمونه")
    orders.Product.objects.update(name="بازی نمونه")
    orders.Package.objects.update(name="بستهٔ نمونه")
    backoffice.make_event()
    backoffice.make_run()


def addresses():
    """Yield a name and an address for each page of each registered model."""
    yield "index", reverse("admin:index")
    yield "password_change", reverse("admin:password_change")
    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        row = model._default_manager.first()
        pages = [(page, ()) for page in OF_A_MODEL]
        pages += [(page, (row.pk,)) for page in OF_A_ROW if row]
        for page, args in pages:
            try:
                yield f"{name}_{page}", reverse(f"admin:{name}_{page}", args=args)
            except NoReverseMatch:
                continue  # this admin has no such page


def render(user, language="fa"):
    """Return the pages that this user may open, as name and HTML."""
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    client.cookies["django_language"] = language
    answers = {name: client.get(address) for name, address in addresses()}
    return {
        name: page.content.decode() for name, page in answers.items() if page.status_code == 200
    }
