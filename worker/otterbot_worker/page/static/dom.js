// Elements, made of text nodes only: what people wrote is never read as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** el("a", {href: "#/now", class: "x", onclick: f}, "words", child, …); what is null or false is left out. */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Shows a sentence for some seconds, and says it to who does not see. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { place.textContent = ""; }, 6000);
}

/** Asks a question; resolves to whether the answer is yes. */
export function sure(question, yes) {
  return new Promise((resolve) => {
    const end = (answer) => {
      removeEventListener("hashchange", leave);
      dialog.close();
      dialog.remove();
      resolve(answer);
    };
    const leave = () => end(false);
    const dialog = el("dialog", { "aria-labelledby": "question", oncancel: () => end(false) },
      el("p", { id: "question" }, question),
      el("div", { class: "row" },
        el("button", { type: "button", onclick: () => end(false) }, "No, go back"),
        el("button", { type: "button", class: "danger", onclick: () => end(true) }, yes)));
    addEventListener("hashchange", leave);
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Copies a text, or where the browser does not let us, selects it. */
export async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    say("Copied.");
  } catch {
    getSelection().selectAllChildren(element);
    say("Selected: copy it with Ctrl+C, or by holding it.");
  }
}
