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

/** Set the text of an element, or of a node of text, if it is another one, so that a screen reader does not read it again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Make the children of an element like these. What is the same stays, with its focus and what is selected. */
export function renew(element, ...children) {
  const wanted = document.createDocumentFragment();
  wanted.append(...children);
  match(element, wanted);
}

function match(element, wanted) {
  const had = [...element.childNodes];
  const nodes = [...wanted.childNodes];
  nodes.forEach((node, index) => {
    const before = had[index];
    if (before === undefined) element.append(node);
    else if (before.nodeName !== node.nodeName) before.replaceWith(node);
    else if (node.nodeType === Node.TEXT_NODE) say(before, node.data);
    else {
      for (const { name } of [...before.attributes]) {
        if (name !== "open" && !node.hasAttribute(name)) before.removeAttribute(name);
      }
      for (const { name, value } of node.attributes) {
        if (before.getAttribute(name) !== value) before.setAttribute(name, value);
      }
      match(before, node);
    }
  });
  had.slice(nodes.length).forEach((node) => node.remove());
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
