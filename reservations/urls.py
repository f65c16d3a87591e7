from django.urls import path

from reservations import seatmap

urlpatterns = [
    path(
        "release-expired-locks/",
        seatmap.release_expired_locks,
        name="release-expired-locks",
    ),
]
