// Asks the service. Addresses are relative, so that a prefix before them needs no setting.

const PATIENCE = 30_000; // milliseconds

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
  const patience = AbortSignal.timeout(PATIENCE);
  let response;
  let content = null;
  try {
    response = await fetch(address(path, parameters), { signal: signal ? AbortSignal.any([signal, patience]) : patience });
    content = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (error.name !== "SyntaxError") throw new Refused(0, "The web service does not answer.");
  }
  if (!response.ok || content === null) {
    throw new Refused(response.status, content?.error ?? `The web service answered with status ${response.status}.`);
  }
  return content;
}
