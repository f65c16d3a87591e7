from pathlib import Path

from django.urls import path

from backoffice import openapi
from reservations import seatmap

openapi.register(Path(__file__).with_name("openapi.json"))
urlpatterns = [
    path(
        "release-expired-locks/",
        seatmap.release_expired_locks,
        name="release-expired-locks",
    ),
]
