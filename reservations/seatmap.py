"""What the map of an event asks the server for, as JSON."""

from django.http import JsonResponse

from backoffice import json_api
from backoffice.audit import LockEvent
from reservations import holds


@json_api.endpoint("reservations.release_expired_seat")
def release_expired_locks(request):
    """Free seats whose hold ran out; answer how many."""
    count = len(holds.release_expired(by=request.user, source=LockEvent.Source.API))
    message = f"Released {count} expired locks"
    return JsonResponse({"success": True, "count": count, "message": message})
