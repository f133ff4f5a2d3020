// Making and filling elements. Text is always set as text: nothing that comes from a broker is read as HTML.

export function byId(id) {
  return document.getElementById(id);
}

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Set the text of an element if it is another one, so that a screen reader does not read it again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function table(caption, head, rows) {
  const cell = (content, index) => make(index ? "td" : "th", index ? {} : { scope: "row" }, content);
  return make(
    "div",
    { class: "scrolls", tabindex: "0", role: "region", "aria-label": caption },
    make(
      "table",
      {},
      make("caption", {}, caption),
      ...(head.length ? [make("thead", {}, make("tr", {}, ...head.map((text) => (text ? make("th", { scope: "col" }, text) : make("td")))))] : []),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell)))),
    ),
  );
}
