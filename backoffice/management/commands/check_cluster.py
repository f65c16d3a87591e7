from django.core.management.base import BaseCommand, CommandError, no_translations

from backoffice import health


class Command(BaseCommand):
    help = "Exit with 1 and a line for each cluster that shows no sign of life, or for late tasks."

    @no_translations
    def handle(self, **options):
        states = health.cluster_states()
        faults = [
            f"The cluster {state.name} is down; last sign of life: {state.last_sign or 'never'}."
            for state in states
            if state.down
        ]
        late = [task.schedule.name for task in health.task_states() if task.late]
        if late:
            faults.append(f"These tasks are late: {', '.join(late)}.")
        if faults:
            raise CommandError("\n".join(faults))
        for state in states:
            self.stdout.write(
                f"The cluster {state.name} is up; last sign of life: {state.last_sign}."
            )
