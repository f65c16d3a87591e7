#!/usr/bin/env python
import os
import sys


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
    from django.conf import settings  # noqa: PLC0415 - Django may be missing
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    try:
        _ = settings.DEBUG
    except ImproperlyConfigured as problem:  # one sentence instead of thirty lines
        sys.exit(f"The office can't start: {problem}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
