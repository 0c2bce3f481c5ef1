// Any picture's file, to see what it says of itself. It goes to the worker, which keeps nothing of it.

import { ask } from "./ask.js";
import { el, say } from "./dom.js";
import { settings } from "./settings.js";

export function show(place) {
  const result = el("div");
  const input = el("input", { id: "file", type: "file", accept: "image/png,image/jpeg,image/webp" });
  const drop = el("div", { class: "drop" },
    el("p", {}, el("label", { for: "file" }, "A PNG, JPEG or WebP picture, of Otterbot or of another program"), input),
    el("p", { class: "quiet" }, "Choose one, drop it here, or paste it. The worker reads it and keeps nothing."));
  let address = null;
  place.append(el("h1", {}, "Read a file"), drop, result);

  async function read(file) {
    if (!file) return;
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(file);
    result.replaceChildren(el("p", { role: "status" }, "Reading …"));
    try {
      const found = await ask("/page/read", { method: "POST", file });
      say("Read.");
      result.replaceChildren(el("div", { class: "two" },
        el("div", {}, el("h2", {}, file.name || "The picture"), el("img", { class: "sent", src: address, alt: "The picture that was read" })),
        el("div", {}, settings(found, [["read from", found.source]]))));
    } catch (problem) {
      result.replaceChildren(el("p", { class: "bad", role: "alert" }, problem.message));
    }
  }

  input.addEventListener("change", () => read(input.files[0]));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    read(event.dataTransfer.files[0]);
  });
  const pasted = (event) => read(event.clipboardData?.files[0]);
  document.addEventListener("paste", pasted);
  return () => {
    document.removeEventListener("paste", pasted);
    if (address) URL.revokeObjectURL(address);
  };
}
