from pathlib import Path

from django.apps import AppConfig
from django.conf import settings


class OutcomesConfig(AppConfig):
    name = "outcomes"
    verbose_name = "Measurement"

    def ready(self) -> None:
        """Take a site's own instruments beside those of the package, and let `manage.py check` ask about alerts."""
        from outcomes import checks  # noqa: F401, PLC0415 - it registers itself

        if settings.INSTRUMENTS_DIR:
            from outcomes.scoring.library import use_folder  # noqa: PLC0415

            use_folder(Path(settings.INSTRUMENTS_DIR))
