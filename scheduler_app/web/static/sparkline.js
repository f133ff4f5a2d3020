// A small curve of the recent values of a series.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 100;
const HEIGHT = 24;
const MARGIN = 2;

export function sparkline() {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("aria-hidden", "true");
  picture.append(document.createElementNS(SVG, "path"));
  return picture;
}

/** Draw values, the oldest first; null is a gap. */
export function draw(picture, values) {
  const path = outline(values);
  const line = picture.firstChild;
  if (line.getAttribute("d") !== path) line.setAttribute("d", path);
}

export function outline(values) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const x = (index) => (values.length > 1 ? (index / (values.length - 1)) * WIDTH : WIDTH / 2);
  // what two values are apart may be no number any more; a part of each is
  const part = Number.isFinite(high - low) ? 1 : 0.25;
  const share = (value) => (value * part - low * part) / (high * part - low * part);
  const y = (value) => (high > low ? HEIGHT - MARGIN - share(value) * (HEIGHT - 2 * MARGIN) : HEIGHT / 2);
  let path = "";
  values.forEach((value, index) => {
    if (value === null) return;
    const place = `${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    const begins = index === 0 || values[index - 1] === null;
    // one value between two gaps is a dot: a line of no length with round ends
    path += begins ? `M${place}l0 0` : `L${place}`;
  });
  return path;
}
