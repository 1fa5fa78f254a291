from pathlib import Path

from django.apps import AppConfig
from django.conf import settings


class OutcomesConfig(AppConfig):
    name = "outcomes"
    verbose_name = "Measurement"

    def ready(self) -> None:
        """Take a site's own instruments beside those of the package."""
        if settings.INSTRUMENTS_DIR:
            # The scorer brings pandas, which most programs that start have no use for yet.
            from outcomes.scoring.library import use_folder  # noqa: PLC0415

            use_folder(Path(settings.INSTRUMENTS_DIR))
