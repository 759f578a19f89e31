"""Seats that are booked once: Django and psycopg 3. VARIANT says how it is kept right."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["DB_HOST"],
            "PORT": os.environ["DB_PORT"],
            "NAME": os.environ["DB_NAME"],
            "USER": os.environ["DB_USER"],
            "PASSWORD": os.environ["DB_PASSWORD"],
            "CONN_MAX_AGE": 60,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import IntegrityError, OperationalError, connection, models, transaction  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402


class Seat(models.Model):
    taken_by = models.CharField(max_length=40, null=True)

    class Meta:
        app_label = "seats"
        db_table = "seats"


class Booking(models.Model):
    seat = models.ForeignKey(Seat, on_delete=models.CASCADE)
    guest = models.CharField(max_length=40)

    class Meta:
        app_label = "seats"
        db_table = "bookings"


def racy(seat: int, guest: str) -> bool:
    with transaction.atomic():
        if Booking.objects.filter(seat_id=seat).exists():
            return False
        Booking.objects.create(seat_id=seat, guest=guest)
        return True


def autocommitted(seat: int, guest: str) -> bool:
    """Racy: each statement is a transaction of its own, and the whole row is written back."""
    row = Seat.objects.get(id=seat)
    if row.taken_by is not None:
        return False
    row.taken_by = guest
    row.save()
    Booking.objects.create(seat_id=seat, guest=guest)
    return True


def for_update(seat: int, guest: str) -> bool:
    with transaction.atomic():
        Seat.objects.select_for_update().get(id=seat)
        if Booking.objects.filter(seat_id=seat).exists():
            return False
        Booking.objects.create(seat_id=seat, guest=guest)
        return True


def unique(seat: int, guest: str) -> bool:
    try:
        with transaction.atomic():
            if Booking.objects.filter(seat_id=seat).exists():
                return False
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO unique_seats VALUES (%s)", [seat])
            Booking.objects.create(seat_id=seat, guest=guest)
            return True
    except IntegrityError:
        return False


def serializable(seat: int, guest: str) -> bool:
    for _ in range(20):
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                if Booking.objects.filter(seat_id=seat).exists():
                    return False
                Booking.objects.create(seat_id=seat, guest=guest)
                return True
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != "40001":
                raise
    raise RuntimeError("no end of retries")


VARIANTS: dict[str, Callable[[int, str], bool]] = {
    "racy": racy,
    "autocommitted": autocommitted,
    "for_update": for_update,
    "unique": unique,
    "serializable": serializable,
}
book = VARIANTS[os.environ.get("VARIANT", "racy")]


def healthz(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def bookings(request: HttpRequest, seat: int) -> JsonResponse:
    if request.method == "POST":
        if not book(seat, json.loads(request.body)["guest"]):
            return JsonResponse({"error": "taken"}, status=409)
        return JsonResponse({"seat": seat}, status=201)
    found = Booking.objects.filter(seat_id=seat).order_by("id")
    return JsonResponse({"guests": [one.guest for one in found], "count": len(found)})


urlpatterns = [path("healthz", healthz), path("seats/<int:seat>/bookings", bookings)]


def migrate() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Seat)
        editor.create_model(Booking)
        editor.execute("CREATE TABLE unique_seats (seat bigint PRIMARY KEY)")


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        return


if __name__ == "__main__":
    if sys.argv[1] == "migrate":
        migrate()
    else:
        application = get_wsgi_application()
        make_server("127.0.0.1", int(sys.argv[1]), application, Server, Quiet).serve_forever()
