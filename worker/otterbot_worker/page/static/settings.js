// What made a picture: the line, the settings, notes. The same for a picture of ours and for a file that was sent.

import { copy, el } from "./dom.js";

export function settings(found, more = []) {
  const line = found.line && el("pre", { class: "line", tabindex: "0", "aria-label": "The line" }, found.line);
  return [
    found.line && el("h2", {}, "Paste this into a room"),
    line, found.line && el("button", { type: "button", onclick: () => copy(line) }, "Copy the line"),
    el("h2", {}, "What made it"),
    el("table", {}, el("tbody", {}, [...more, ...found.rows].map(([name, value]) =>
      el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value))))),
    found.notes.length > 0 && el("h2", {}, "Notes"),
    found.notes.length > 0 && el("ul", {}, found.notes.map((note) => el("li", {}, note))),
    found.request && el("details", {}, el("summary", {}, "The request, for programs"),
      el("pre", { class: "line", tabindex: "0", "aria-label": "The request" }, JSON.stringify(found.request, null, 2))),
  ];
}
