// What is shown stands in the address of the page, so that a link shows the same.

/** Read the address. `from` and `to` are UTC epoch seconds, null while the plot follows the clock. */
export function read() {
  const query = new URLSearchParams(location.search);
  const time = (name) => (query.has(name) && Number.isFinite(Number(query.get(name))) ? Number(query.get(name)) : null);
  const [from, to] = [time("from"), time("to")];
  const spanned = from !== null && to !== null && from < to;
  return {
    view: query.has("series") ? "series" : query.get("view") === "health" ? "health" : "list",
    search: query.get("search") ?? "",
    sort: query.get("sort") || "name",
    series: query.get("series"),
    span: query.get("span"),
    from: spanned ? from : null,
    to: spanned ? to : null,
  };
}

export function link(place) {
  const query = new URLSearchParams();
  if (place.search) query.set("search", place.search);
  if (place.sort && place.sort !== "name") query.set("sort", place.sort);
  if (place.view === "series") {
    query.set("series", place.series);
    if (place.span) query.set("span", place.span);
    if (place.from !== null && place.from !== undefined) {
      query.set("from", place.from.toFixed(3));
      query.set("to", place.to.toFixed(3));
    }
  } else if (place.view === "health") {
    query.set("view", "health");
  }
  return `?${query}`;
}
