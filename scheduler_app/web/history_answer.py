"""The history of a series as it is sent in JSON: columns, as whatever draws them wants them."""

from collections.abc import Sequence

from config.quantities import Window
from scheduler_app.web.history import SeriesHistory, curve, delayed, moments_of, thinned


def as_sent(history: SeriesHistory, windows: Sequence[Window], most: int, now: float) -> dict[str, object]:
    """Return the readings and rolling averages of a span, with at most so many points each."""
    inside = history.inside
    shown = thinned(inside, most)
    series = history.series
    moments = moments_of(history, most, now)
    return {
        "at": now,
        "series": series.name,
        "topic": series.topic,
        "field": series.field,
        "since": series.since,
        "retention": series.retention,
        "from": history.span.after,
        "to": history.span.until,
        "begins": history.begins,
        "complete": history.complete,
        "took": round(history.took, 3),
        "readings": {
            "total": len(inside),
            "thinned": len(shown) < len(inside),
            "time": [time for time, _, _ in shown],
            "value": [value for _, _, value in shown],
        },
        "averages": {
            "time": moments,
            "curves": [
                {
                    "window": window.name,
                    "seconds": window.seconds,
                    "complete_from": history.complete_from(window),
                    "value": curve(history, window, moments),
                }
                for window in windows
            ],
        },
        "delayed": delayed(inside)[-most:],
        "rejected": [
            {"arrived": row.arrived, "reason": row.reason, "detail": row.detail, "size": row.size}
            for row in history.rejected
        ],
    }
