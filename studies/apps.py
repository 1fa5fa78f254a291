from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class StudiesConfig(AppConfig):
    name = "studies"
    verbose_name = "Design and conduct"

    def ready(self) -> None:
        from studies.database import grants  # noqa: PLC0415 - needs the app registry

        pre_migrate.connect(grants.before_migrate, sender=self)
        # The last app to migrate grants and attaches triggers for all of them.
        post_migrate.connect(grants.after_migrate)
