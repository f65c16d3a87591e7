import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt

from backoffice.middleware import PersianTyping, as_stored


def test_a_form_reaches_the_view_in_stored_letters_and_digits(rf):
    request = rf.post("/?q=علي", {"name": "كالا ۲", "code": "A-۱۲", "number": "١٢"})

    PersianTyping(HttpResponse).process_view(request, HttpResponse, (), {})

    assert request.GET["q"] == "علی"
    assert request.POST.dict() == {"name": "کالا ۲", "code": "A-12", "number": "12"}
    with pytest.raises(AttributeError):
        request.POST["name"] = "changed"


def test_a_password_stays_as_it_was_typed():
    typed = QueryDict("", mutable=True)
    typed.setlist("new_password1", ["رمز۱۲ي"])

    assert as_stored(typed)["new_password1"] == "رمز۱۲ي"


def test_what_needs_no_change_is_the_same_object():
    typed = QueryDict("a=1&a=2")

    assert as_stored(typed) is typed


def test_what_a_program_sends_is_left_alone(rf):
    request = rf.post("/", {"name": "علي"})

    PersianTyping(HttpResponse).process_view(request, csrf_exempt(HttpResponse), (), {})

    assert request.POST["name"] == "علي"


def test_a_name_typed_in_the_admin_is_stored_in_persian_letters(admin_client):
    admin_client.post("/admin/auth/group/add/", {"name": "كاركنان ي"})

    assert Group.objects.filter(name="کارکنان ی").count() == 1


@pytest.mark.django_db
def test_a_user_name_with_persian_digits_signs_in(client):
    User.objects.create_user("keeper12", password="secret-1", is_staff=True)

    client.post(
        "/admin/login/", {"username": "keeper۱۲", "password": "secret-1", "next": "/admin/"}
    )

    assert "_auth_user_id" in client.session
