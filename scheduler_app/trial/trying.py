"""A trial by the settings, without a database."""

from functools import partial

from config.settings import Settings
from config.topics import shared_levels
from models.catalog import Catalog
from scheduler_app.intake.trial import Trial
from scheduler_app.publishing.topics import unpublishable_name


def new_trial(settings: Settings) -> Trial:
    """Return a trial that begins without any series, with the bounds that the subscriber has."""
    branch_levels = shared_levels(stream.topic for stream in settings.streams) + 1
    return Trial(
        settings, Catalog((), settings.max_series, branch_levels, partial(unpublishable_name, settings))
    )
