// What is asked of the worker. The cookie goes along by itself; the header is what no other site may send.

/** What the worker answered, where that is not what was asked for: `status`, `code`, and a sentence as `message`. */
export class Problem extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** `onSignedOut.call()` is called when the worker knows us no more. */
export const onSignedOut = { call: () => {} };

export async function ask(path, { method = "GET", json, file, quietly = false } = {}) {
  const headers = { "Otterbot-Page": "1" };
  let body;
  if (json !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(json);
  } else if (file) {
    headers["Content-Type"] = file.type || "image/png";
    body = file;
  }
  let response;
  try {
    response = await fetch(path, { method, headers, body, credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new Problem(0, "unreachable", "The worker does not answer.");
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401 && !quietly) onSignedOut.call();
  throw new Problem(response.status, problem.code || "", problem.detail || `The worker answered ${response.status}.`);
}
