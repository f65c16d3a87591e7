class EditLockAdminMixin:
    pass


class EditLockInlineMixin:
    pass
