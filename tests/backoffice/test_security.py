"""Who comes in, how often he may try, and what every answer carries."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone
from django.views.debug import SafeExceptionReporterFilter

from backoffice.environment import BASE_DIR, SECRET_NAMES, SECRETS_FILE, read_file

LOGIN = reverse("admin:login")
INDEX = reverse("admin:index")
PASSWORD = "a-Long-pass-1405"
# An inline script, a handler in a tag, or an address that is a script.
INLINE = re.compile(
    r"<script(?![^>]*\b(?:src=|type=.application/json))|<[^>]*\son[a-z]+\s*=|javascript:", re.I
)


@pytest.fixture
def mary(make_user):
    return make_user("mary", password=PASSWORD)


def try_to_log_in(client, password, username="mary", address="10.0.0.1"):
    fields = {"username": username, "password": password}
    return client.post(LOGIN, fields, REMOTE_ADDR=address)


def fail(client, times=None, **kw):
    for _try in range(times or settings.AXES_FAILURE_LIMIT):
        response = try_to_log_in(client, "wrong", **kw)
    return response


# Coming in


def test_the_right_password_opens_the_office(client, mary):
    response = try_to_log_in(client, PASSWORD)

    assert (response.status_code, response.url) == (302, INDEX)
    assert client.get(INDEX).status_code == 200


def test_too_many_wrong_passwords_lock_the_door_to_the_right_one_too(client, mary):
    last = fail(client)
    response = try_to_log_in(client, PASSWORD)

    assert (last.status_code, response.status_code) == (429, 429)
    assert "admin/locked_out.html" in [template.name for template in response.templates]
    assert client.get(INDEX).status_code == 302


def test_one_wrong_password_less_does_not(client, mary):
    fail(client, settings.AXES_FAILURE_LIMIT - 1)

    assert try_to_log_in(client, PASSWORD).status_code == 302


def test_a_colleague_at_the_same_address_comes_in(client, mary, make_user):
    make_user("ali", password=PASSWORD)
    fail(client)

    assert try_to_log_in(client, PASSWORD, "ali").status_code == 302


def test_the_same_user_comes_in_from_elsewhere(client, mary):
    fail(client)

    assert try_to_log_in(client, PASSWORD, address="10.0.0.2").status_code == 302


def test_a_forged_header_is_no_other_address(client, mary):
    fail(client)

    response = client.post(
        LOGIN,
        {"username": "mary", "password": PASSWORD},
        REMOTE_ADDR="10.0.0.1",
        HTTP_X_FORWARDED_FOR="10.0.0.99",
    )

    assert response.status_code == 429


def test_the_door_opens_again_after_a_while(client, mary):
    fail(client)
    a_while = timezone.now() - timedelta(hours=settings.AXES_COOLOFF_TIME, seconds=1)
    AccessAttempt.objects.update(attempt_time=a_while)

    assert try_to_log_in(client, PASSWORD).status_code == 302


def test_no_wrong_password_is_kept(client, mary):
    try_to_log_in(client, "almost-the-right-one")

    assert "almost-the-right-one" not in str(list(AccessAttempt.objects.values()))


def test_whoever_is_not_staff_stays_out(client, mary):
    mary.is_staff = False
    mary.save()

    response = try_to_log_in(client, PASSWORD)

    assert response.status_code == 200
    assert client.get(INDEX).status_code == 302


def test_a_session_ends_by_itself(client, mary):
    client.force_login(mary)
    lifetime = Session.objects.get().expire_date - timezone.now()
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))

    response = client.get(INDEX)

    assert (response.status_code, response.url) == (302, f"{LOGIN}?next={INDEX}")
    assert timedelta(0) < lifetime <= timedelta(seconds=settings.SESSION_COOKIE_AGE)


def test_whoever_is_logged_out_is_not_sent_to_another_site(client, mary):
    client.force_login(mary)

    response = client.get(f"{LOGIN}?next=https://elsewhere.example/")

    assert response.status_code == 302
    assert response.url == INDEX


# What every answer carries


@pytest.mark.parametrize("address", [LOGIN, INDEX, "/", "/healthz", "/nowhere", "/admin/nowhere/"])
def test_every_answer_forbids_foreign_scripts_and_frames(client, mary, address):
    client.force_login(mary)

    response = client.get(address)

    policy = dict(
        part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert "script-src" not in policy
    assert policy["frame-ancestors"] == "'self'"
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_form_without_its_token_is_refused(mary):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(mary)

    assert client.post(reverse("admin:logout")).status_code == 403
    assert client.get(INDEX).status_code == 200


def own_templates():
    folders = [BASE_DIR / "templates", *BASE_DIR.glob("*/templates")]
    return [path for folder in folders for path in sorted(folder.rglob("*.html"))]


@pytest.mark.parametrize("path", own_templates(), ids=lambda path: str(path.relative_to(BASE_DIR)))
def test_no_template_of_ours_has_a_script_in_it(path):
    assert INLINE.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "html",
    ["<script>x</script>", '<a onclick="x">', "<a href='javascript:x'>", '<script nonce="1">'],
)
def test_the_scan_would_find_a_script(html):
    assert INLINE.search(html)


def test_the_first_page_has_no_script_in_it(admin_client):
    for address in (INDEX, reverse("admin:auth_user_changelist"), LOGIN):
        assert INLINE.findall(admin_client.get(address).content.decode()) == []


# Language


@pytest.mark.parametrize(
    ("cookie", "language"), [(None, "fa"), ("en", "en"), ("fa", "fa"), ("de", "fa"), ("", "fa")]
)
def test_the_language_is_the_user_s_choice_and_never_the_browser_s(db, client, cookie, language):
    if cookie is not None:
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = cookie

    response = client.get(LOGIN, headers={"accept-language": "en-GB,en;q=0.9"})

    assert f'<html lang="{language}"' in response.content.decode()
    assert response["Content-Language"] == language


# Settings


def run_manage(*arguments, **surroundings):
    # Without what the tests themselves set for Playwright.
    kept = {name: text for name, text in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=kept | {"DJANGO_SETTINGS_MODULE": "backoffice.settings", **surroundings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_settings_of_production_pass_django_s_own_checks():
    result = run_manage(
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        BASE_URL="https://office.example",
        DEBUG="no",
    )

    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout


def test_a_secret_key_that_is_made_is_long_enough_for_django(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "backoffice.environment"],
        cwd=BASE_DIR,
        env=os.environ | {"VAR_DIR": str(tmp_path)},
        check=True,
    )

    made = read_file(tmp_path / "secrets.env")
    assert sorted(made) == sorted(SECRET_NAMES)
    assert len(made["SECRET_KEY"]) >= 50


def test_behind_https_cookies_travel_by_https_alone():
    code = (
        "from django.conf import settings as s;"
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.LANGUAGE_COOKIE_SECURE,"
        " s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0, s.DEBUG)"
    )

    result = run_manage("shell", "--no-imports", "-c", code, BASE_URL="https://office.example")

    assert result.stdout.split() == ["True"] * 5 + ["False"], result.stderr


def secrets_in_use():
    known = read_file(SECRETS_FILE)
    return [os.environ.get(name) or known[name] for name in SECRET_NAMES]


def test_no_secret_is_in_the_settings_that_a_report_shows():
    shown = str(SafeExceptionReporterFilter().get_safe_settings())

    assert [secret for secret in secrets_in_use() if secret in shown] == []
    assert settings.SECRET_KEY not in shown


def test_no_secret_is_in_the_repository():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=BASE_DIR, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    files = [BASE_DIR / name for name in listed if name]

    found = [
        path.name
        for path in files
        if path.is_file()
        for secret in secrets_in_use()
        if secret.encode() in path.read_bytes()
    ]

    assert found == []


def test_the_secrets_are_for_their_owner_only():
    assert Path(SECRETS_FILE).stat().st_mode & 0o077 == 0
