// Asks the service. Addresses are relative, so that a prefix before them needs no setting.

/** What the service answered to a wrong or impossible request; `status` is 0 if there was no answer. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return `api/v1/${path}${text ? `?${text}` : ""}`;
}

export async function ask(path, parameters, signal) {
  let response;
  try {
    response = await fetch(address(path, parameters), { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The web service does not answer.");
  }
  let content = null;
  try {
    content = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  if (!response.ok || content === null) {
    throw new Refused(response.status, content?.error ?? `The web service answered with status ${response.status}.`);
  }
  return content;
}

/** The path of one series: its slashes are those of the address. */
export function seriesPath(name) {
  return `series/${name.split("/").map(encodeURIComponent).join("/")}`;
}
