// Fingers on a plot: one pans, two zoom.

const LEAST = 20; // pixels between two fingers

/** `plot` has the `span` that is shown, and `go` to show another one. */
export function listenToFingers(over, plot) {
  const fingers = new Map();
  let begun = null;
  const places = () => [...fingers.values()].sort((one, other) => one - other);
  const begin = () => {
    begun = { places: places(), span: plot.span };
  };
  over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, event.clientX);
    begin();
  });
  over.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event.clientX);
    const [from, to] = begun.span;
    const perPixel = (to - from) / over.clientWidth;
    const now = places();
    if (now.length === 1) {
      const by = (begun.places[0] - now[0]) * perPixel;
      if (by !== 0) plot.go(from + by, to + by);
    } else {
      const left = over.getBoundingClientRect().left;
      const factor = Math.max(LEAST, begun.places[1] - begun.places[0]) / Math.max(LEAST, now[1] - now[0]);
      const middle = from + ((begun.places[0] + begun.places[1]) / 2 - left) * perPixel;
      const centre = ((now[0] + now[1]) / 2 - left) / over.clientWidth;
      const length = (to - from) * factor;
      plot.go(middle - centre * length, middle + (1 - centre) * length);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    over.addEventListener(end, (event) => {
      if (fingers.delete(event.pointerId) && fingers.size) begin();
    });
  }
}
