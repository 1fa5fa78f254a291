from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class TrialsiteConfig(AppConfig):
    name = "trialsite"

    def ready(self) -> None:
        """Let every thread send its tasks through our broker, not through a default one of Celery."""
        from trialsite.celery import app  # noqa: PLC0415 - it reads the settings

        app.set_default()


class TrialsiteAdminConfig(AdminConfig):
    default_site = "trialsite.admin_site.TrialsiteAdminSite"
