// What runs, what waits, the pause, and the plot. Asked for again and again while it can be seen.

import { ask } from "./ask.js";
import { el, say, sure } from "./dom.js";
import { plot } from "./plot.js";
import { clock, counted, gigabytes, span } from "./words.js";

const BUSY_MS = 1000;
const IDLE_MS = 3000;
const PHASES = {
  starting: "starting", writing: "a language model writes the prompt", downloading: "downloading the model",
  loading: "loading the model", denoising: "drawing", decoding: "finishing", saving: "saving",
  thinking: "thinking", streaming: "answering", describing: "looking at it",
};
const PAUSES = [["", "until I resume"], ["30", "for 30 minutes"], ["60", "for an hour"], ["180", "for three hours"]];

export function show(place) {
  const state = el("p", { id: "state" });
  const notices = el("div");
  const controls = el("div", { class: "row" });
  const jobs = el("ol", { class: "jobs", "aria-label": "Jobs, in the order in which they come" });
  const rest = el("p", { class: "quiet" });
  const memory = plot();
  place.append(
    el("h1", {}, "Now"),
    el("div", { class: "two" },
      el("section", { "aria-label": "Queue" }, el("div", { class: "card" }, state, notices, controls), jobs, rest),
      el("section", { "aria-label": "Memory and swaps" }, memory.element)));

  const known = new Map();
  let timer = 0;
  let ended = false;
  let paused = null;

  async function look() {
    clearTimeout(timer);
    if (ended || document.hidden) return;
    let wait = IDLE_MS;
    try {
      const found = await ask("/page/now");
      if (ended) return;
      draw(found);
      if (found.running) wait = BUSY_MS;
    } catch (problem) {
      state.textContent = problem.message;
    }
    clearTimeout(timer);
    if (!ended) timer = setTimeout(look, wait);
  }

  function draw(found) {
    const what = found.pause.paused
      ? `Paused ${found.pause.until ? `until ${clock(found.pause.until)}` : "until you resume it"}`
      : found.running ? "Drawing" : "Ready";
    const cards = found.cards.map((card) =>
      card.name + (card.paused ? ", paused" : "") + (card.resident ? `, with ${card.resident} loaded` : ""));
    state.replaceChildren(el("strong", {}, what),
      ` · ${[counted(found.queued, "waits", "wait"), ...cards, `${gigabytes(found.disk_free)} free on the disk`].join(" · ")}`);
    notices.replaceChildren(...found.notices.map((notice) => el("p", { class: "notice" }, notice)));
    if (paused !== found.pause.paused) {
      paused = found.pause.paused;
      const focused = controls.contains(document.activeElement);
      controls.replaceChildren(...(paused ? resuming() : pausing()));
      if (focused) controls.querySelector("button").focus();
    }
    arrange(found.jobs);
    rest.textContent = found.more ? `… and ${counted(found.more, "more job")}.`
      : found.jobs.length ? "" : "Nothing runs, and nothing waits.";
  }

  /** Keeps the elements of jobs that are still there, so that nothing loses the focus. */
  function arrange(list) {
    const ids = new Set(list.map((job) => job.id));
    let focused = false;
    for (const [id, row] of known) {
      if (ids.has(id)) continue;
      focused ||= row.element.contains(document.activeElement);
      row.element.remove();
      known.delete(id);
    }
    list.forEach((job, index) => {
      if (!known.has(job.id)) known.set(job.id, jobRow(job, look));
      const row = known.get(job.id);
      row.update(job);
      if (jobs.children[index] !== row.element) jobs.insertBefore(row.element, jobs.children[index] || null);
    });
    if (focused) (jobs.querySelector("button") || document.getElementById("main")).focus();
  }

  function pausing() {
    const long = el("select", { id: "long" }, PAUSES.map(([value, words]) => el("option", { value }, words)));
    return [
      el("div", {}, el("label", { for: "long" }, "Free the card"), long),
      el("button", { type: "button", onclick: () => act("/page/pause", long.value ? { minutes: Number(long.value) } : {}, "Paused.") }, "Pause"),
    ];
  }

  function resuming() {
    return [el("button", { type: "button", class: "act", onclick: () => act("/page/resume", {}, "Resumed.") }, "Resume")];
  }

  async function act(path, json, done) {
    try {
      await ask(path, { method: "POST", json });
      say(done);
    } catch (problem) {
      say(problem.message);
    }
    look();
  }

  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    ended = true;
    clearTimeout(timer);
    memory.end();
    document.removeEventListener("visibilitychange", look);
  };
}

function jobRow(first, look) {
  const words = el("p", { class: "words" });
  const whose = el("p", { class: "quiet" });
  const where = el("p");
  const runs = el("div");
  const running = new Map();
  const what = first.kind === "image" ? counted(first.count, "picture") : first.kind === "chat" ? "an answer" : "a description";
  const cancel = el("button", { type: "button", onclick: async () => {
    if (!await sure(`Cancel this job of ${first.owner} (${what})?`, "Cancel it")) return;
    try {
      await ask(`/page/jobs/${first.id}`, { method: "DELETE" });
      say("Cancelled.");
    } catch (problem) {
      say(problem.message);
    }
    look();
  } }, "Cancel", el("span", { class: "unseen" }, ` the job of ${first.owner}`));

  function update(job) {
    words.textContent = job.prompt ?? (job.private ? "From an encrypted room" : job.kind === "chat" ? "A chat" : "A description");
    whose.textContent = [job.owner, job.room, job.model, job.client].filter(Boolean).join(" · ");
    where.textContent = (job.running.length ? "at work" : waiting(job)) + due(job);
    const here = new Set(job.running.map((run) => run.index));
    for (const [index, run] of running) if (!here.has(index)) { run.element.remove(); running.delete(index); }
    for (const run of job.running) {
      if (!running.has(run.index)) {
        running.set(run.index, runRow());
        runs.append(running.get(run.index).element);
      }
      running.get(run.index).update(job, run);
    }
  }
  return { element: el("li", { class: "card" }, words, whose, where, runs, el("p", {}, cancel)), update };
}

/** A picture that is drawn, or an answer that is written; with several cards a job may have more than one. */
function runRow() {
  const preview = el("img", { class: "preview", alt: "What it looks like by now", hidden: true });
  const what = el("p");
  const bar = el("progress", { "aria-label": "Steps", hidden: true });

  function update(job, run) {
    what.textContent = progress(job, run);
    bar.hidden = !run.steps;
    if (run.steps) { bar.max = run.steps; bar.value = run.step; }
    preview.hidden = !run.preview;
    const source = `/page/jobs/${job.id}/preview/${run.index}?n=${run.preview}`;
    if (run.preview && preview.getAttribute("src") !== source) preview.setAttribute("src", source);
  }
  return { element: el("div", { class: "run" }, el("div", {}, what, bar), preview), update };
}

function progress(job, run) {
  const which = job.count > 1 ? `Picture ${run.index + 1} of ${job.count}: ` : "";
  const step = run.steps && run.phase === "denoising" ? `, step ${run.step} of ${run.steps}` : "";
  return `${which}${PHASES[run.phase] || run.phase}${step}`;
}

function waiting(job) {
  const done = job.done ? `${job.done} of ${job.count} done, ` : "";
  if (job.place === null) return `${done}waits`;
  return done + (job.place === 0 ? "next in the queue" : `in the queue, ${job.place} before it`);
}

function due(job) {
  return job.eta_s === null ? "" : `, done in ${span(job.eta_s)} (${clock(Date.now() / 1000 + job.eta_s)})`;
}
