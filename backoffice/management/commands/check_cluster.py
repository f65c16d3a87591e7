from django.core.management.base import BaseCommand, CommandError, no_translations

from backoffice import health


class Command(BaseCommand):
    help = "Exit with 1 and one line when the background cluster shows no sign of life."

    @no_translations
    def handle(self, **options):
        state = health.cluster()
        if state.down:
            seen = state.last_sign or "never"
            raise CommandError(f"The cluster is down; last sign of life: {seen}.")
        late = [health.schedule.name for health in state.tasks if health.late]
        if late:
            raise CommandError(f"The cluster is up, but these tasks are late: {', '.join(late)}.")
        self.stdout.write(f"The cluster is up; last sign of life: {state.last_sign}.")
