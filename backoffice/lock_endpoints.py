"""What the page of a document asks while it is open: its lock, a beat, the lock's return."""

from datetime import timedelta

from django.conf import settings
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, JsonResponse
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import path
from django.utils.translation import gettext as _t
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from backoffice import content, lock_requests, lock_words, locks
from backoffice.audit import LockEvent
from backoffice.editable import read

TAKE_OVER = "backoffice.take_over_edit_lock"
LONGEST_REASON = 300


class LockEndpoints:
    """The addresses beside a change form; ``EditLockAdminMixin`` brings them.

    Every answer carries a fresh token against forged requests, as a page outlives logins. A page
    that may read the document may look; all others need the right to change it.
    """

    def get_urls(self):
        posted = {
            "take": self.take_view,
            "beat": self.beat_view,
            "give-back": self.give_back_view,
            "move": self.move_view,
            "take-over": self.take_over_view,
            "ask": self.ask_view,
            "answer": self.answer_view,
        }
        views = {name: require_POST(view) for name, view in posted.items()}
        views["look"] = require_GET(self.look_view)
        return [
            path(
                f"<path:object_id>/lock/{name}/",
                self.admin_site.admin_view(never_cache(view)),
                name=f"{self.opts.app_label}_{self.opts.model_name}_lock_{name.replace('-', '_')}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    # Taking

    def take_view(self, request, object_id):
        """Take the lock for a page: 200 with the token, or 409 with the reason in words."""
        token = request.POST.get("token", "")
        return self._taken(request, object_id, locks.acquire, own_token=token)

    def move_view(self, request, object_id):
        """Take one's own lock from another tab."""
        return self._taken(request, object_id, locks.move)

    def take_over_view(self, request, object_id):
        """Take the lock of a colleague, with a permission of its own and a reason."""
        if not request.user.has_perm(TAKE_OVER):
            raise PermissionDenied
        reason = request.POST.get("reason", "").strip()[:LONGEST_REASON]
        if not reason:
            return answer(request, 400, message=_t("Say why you take this document over."))
        return self._taken(request, object_id, locks.take_over, reason=reason)

    def _taken(self, request, object_id, take, **how):
        pk = self._lockable(request, object_id)
        obj = self.get_object(request, unquote(object_id))
        if obj and not self.has_change_permission(request, obj):  # a posted one is for reading
            raise PermissionDenied
        try:
            version = posted_version(request, "version")
            token = take(self.model, pk, by=request.user, version=version, **how)
        except locks.Refused as refused:
            locks.record_refusal(self.model, pk, refused, by=request.user)
            changes = self.changes_html(request, obj) if refused.reason == "changed" else ""
            return answer(
                request, 409, reason=refused.reason, message=refused.message, changes=changes
            )
        return answer(
            request,
            token=token,
            beat_seconds=settings.EDIT_LOCK_BEAT_SECONDS,
            hidden_beat_seconds=settings.EDIT_LOCK_HIDDEN_BEAT_SECONDS,
            hold_seconds_left=self._hold_seconds_left(pk),
        )

    def changes_html(self, request, obj, name="base"):
        """Return what changed since the page was loaded, as its table; '' where that is unknown."""
        base = content.unsealed(request.POST.get(name, ""))
        if obj is None or base is None:
            return ""
        changes = content.changes_since(self, request, obj, base)
        return render_to_string("admin/edit_lock_changes.html", {"edit_lock_changes": changes})

    # Keeping

    def beat_view(self, request, object_id):
        """Keep the lock of a page alive: 200, or 409 with how it was lost."""
        request.is_beat = True  # the session middleware must not take it for activity
        pk = self._lockable(request, object_id)
        token = request.POST.get("token", "")
        live = locks.renew(
            self.model,
            pk,
            token=token,
            by=request.user,
            idle=seconds(request.POST.get("idle_seconds")),
            has_changes=request.POST.get("has_changes") == "yes",
            extend=request.POST.get("extend") == "yes",
        )
        if not live:
            reason, message = self._how_lost(request, pk, token)
            return answer(request, 409, reason=reason, message=message)
        pending = lock_requests.pending(self.model, pk, token=token)
        return answer(
            request,
            hold_seconds_left=self._hold_seconds_left(pk),
            request=pending
            and {
                "message": _t("%(asker)s asks you for this document.")
                % {"asker": pending.asker_name},
                "seconds_left": pending.seconds_left,
            },
        )

    def _hold_seconds_left(self, pk):
        lock = read(self.model, pk)
        left = lock and lock.hold_ends_at and (lock.hold_ends_at - lock.read_at).total_seconds()
        return max(0, round(left or 0))

    def _how_lost(self, request, pk, token):
        lock = read(self.model, pk)
        if lock is None:
            return "gone", lock_words.lost_text("gone", None)
        event = locks.last_ending(self.model, pk, holder=request.user)
        # Still in this person's name: nobody found yet that it ran out.
        known = event and lock.key != locks.fingerprint(token)
        reason = event.action if known else LockEvent.Action.RAN_OUT.value
        return reason, lock_words.lost_text(reason, event if known else None)

    # Giving back

    def give_back_view(self, request, object_id):
        """Give the lock of a page back: at once, or after the grace of a page that was left."""
        pk = self._lockable(request, object_id)
        end = locks.leave if request.POST.get("leaving") == "yes" else locks.release
        token = request.POST.get("token", "")
        return answer(request, released=end(self.model, pk, token=token, by=request.user))

    # Asking

    def look_view(self, request, object_id):
        """Tell who edits the document now, and what became of the page's own request."""
        pk = self._readable(request, object_id)
        lock = read(self.model, pk)
        if lock is None:
            return answer(request, state="gone", text=lock_words.lost_text("gone", None))
        ticket = request.GET.get("ticket", "")
        state = lock_requests.state_of(self.model, pk, ticket=ticket) if ticket else ""
        return answer(
            request,
            state=self.state_for(request, lock),
            text=self.text_for(request, lock),
            version=lock.version,
            request=state,
            request_message=lock_words.request_text(state, lock.holder_name),
        )

    def ask_view(self, request, object_id):
        """Ask the holder for the document: 200 with the ticket of this page, or 409 in words."""
        pk = self._lockable(request, object_id)
        try:
            ticket = lock_requests.ask(self.model, pk, by=request.user)
        except lock_requests.AlreadyAsked as problem:
            return answer(request, 409, reason="asked", message=str(problem))
        except locks.Refused as refused:
            reason = "gone" if refused.reason == "gone" else "free"
            return answer(request, 409, reason=reason, message=lock_words.free_text())
        return answer(request, ticket=ticket, message=lock_words.request_text("waiting", ""))

    def answer_view(self, request, object_id):
        """Hand the document over to who asked, or decline."""
        pk = self._lockable(request, object_id)
        answered = lock_requests.answer(
            self.model,
            pk,
            token=request.POST.get("token", ""),
            by=request.user,
            hand_over=request.POST.get("hand_over") == "yes",
        )
        message = "" if answered else _t("Nobody waits for an answer any more.")
        return answer(request, answered=answered, message=message)

    # Who may, and what

    def state_for(self, request, lock):
        """Return what a lock is to this person: free, mine or held."""
        if not lock.live:
            return "free"
        return "mine" if lock.holder_id == request.user.pk else "held"

    def text_for(self, request, lock):
        """Return the sentence that tells this person of a lock."""
        state = self.state_for(request, lock)
        texts = {"held": lock_words.held_text, "mine": lock_words.elsewhere_text}
        return texts[state](lock) if state in texts else lock_words.free_text()

    def _lockable(self, request, object_id):
        if not super().has_change_permission(request):
            raise PermissionDenied
        return self._existing_key(object_id)

    def _readable(self, request, object_id):
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._existing_key(object_id)

    def _existing_key(self, object_id):
        pk = self._key(object_id)
        if pk is None:
            raise Http404
        return pk

    def _key(self, object_id):
        """Return the key in an address, None where it can be none."""
        try:
            return self.opts.pk.clean(unquote(object_id), None)
        except ValidationError:
            return None


def answer(request, status=200, /, **said):
    """Return a JSON answer with a fresh token against forged requests."""
    return JsonResponse({**said, "csrf": get_token(request)}, status=status)


def seconds(text):
    """Return a posted number of seconds as a timedelta, 0 to a day; None where it is none."""
    try:
        return timedelta(seconds=min(max(float(text), 0), 86400))
    except (TypeError, ValueError):
        return None


def posted_version(request, name="editing_version"):
    """Return the version that the page was loaded with; 0, which no document has, without one."""
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
