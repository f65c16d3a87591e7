"""What the page and the mail of a fault tell: where it broke, and nothing of what was at hand."""

from django.views.debug import SafeExceptionReporterFilter


class NothingAtHand(SafeExceptionReporterFilter):
    """Hides every variable and all that was posted, with DEBUG too: any of them may be a secret.

    Naming the secret ones would protect those that somebody has thought of.
    """

    def is_active(self, request):
        return True

    def get_post_parameters(self, request):
        return {} if request is None else dict.fromkeys(request.POST, self.cleansed_substitute)

    def get_traceback_frame_variables(self, request, tb_frame):
        return dict.fromkeys(tb_frame.f_locals, self.cleansed_substitute).items()
