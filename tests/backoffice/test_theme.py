from importlib import import_module
from pathlib import Path

import pytest
from admin_interface.models import Theme
from django.apps import apps
from django.contrib.staticfiles import finders
from django.test import Client

migration = import_module("backoffice.migrations.0002_theme")


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("css_header_text_color", "css_header_background_color"),
        ("css_header_link_color", "css_header_background_color"),
        ("title_color", "css_header_background_color"),
        ("css_module_text_color", "css_module_background_color"),
        ("css_generic_link_color", "css_module_background_selected_color"),
        ("css_save_button_text_color", "css_save_button_background_color"),
        ("css_delete_button_text_color", "css_delete_button_background_color"),
    ],
)
def test_text_stands_out_from_its_ground(text, ground):
    assert contrast(migration.OFFICE[text], migration.OFFICE[ground]) >= 4.5


@pytest.mark.django_db
def test_a_change_by_staff_survives_the_next_deploy():
    Theme.objects.filter(name=migration.NAME).update(title="دفتر ما")

    migration.make_theme(apps, None)

    assert Theme.objects.get(name=migration.NAME).title == "دفتر ما"
    assert Theme.objects.count() == 1


@pytest.mark.parametrize("name", ["Regular", "Medium", "Bold"])
def test_the_face_is_served_from_here(name):
    css = Path(finders.find("backoffice/office.css")).read_text()

    assert f"fonts/Vazirmatn-{name}.woff2" in css
    assert finders.find(f"backoffice/fonts/Vazirmatn-{name}.woff2")
    assert finders.find("backoffice/fonts/OFL.txt")


@pytest.mark.django_db
def test_the_language_is_the_users_choice_and_not_the_browsers():
    client = Client(headers={"accept-language": "en"})

    assert '<html lang="fa" dir="rtl">' in client.get("/admin/login/").content.decode()
    client.post("/i18n/setlang/", {"language": "en", "next": "/admin/login/"})
    page = client.get("/admin/login/").content.decode()
    assert '<html lang="en' in page and "Sales and warehouse office" in page


@pytest.mark.django_db
def test_an_address_without_a_page_is_told_in_persian(client):
    answer = client.get("/nowhere/")

    assert answer.status_code == 404
    assert "صفحه پیدا نشد" in answer.content.decode()
    assert "Not Found" not in answer.content.decode()


@pytest.mark.django_db
def test_a_forged_form_is_refused_in_persian():
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "a"})

    assert answer.status_code == 403
    assert "این صفحه قدیمی است" in answer.content.decode()


@pytest.mark.django_db
def test_who_failed_too_often_reads_how_long_to_wait(client, settings):
    for _attempt in range(settings.AXES_FAILURE_LIMIT):
        answer = client.post("/admin/login/", {"username": "keeper", "password": "wrong"})

    assert answer.status_code == 429
    assert "تا ۱۵ دقیقه پس از آخرین تلاش بسته است." in answer.content.decode()


@pytest.mark.django_db
def test_every_page_names_an_icon_that_is_there():
    page = Client().get("/admin/login/").content.decode()

    assert 'href="/static/backoffice/icon.svg"' in page
    assert finders.find("backoffice/icon.svg")
