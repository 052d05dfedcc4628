"use strict";
const PHRASES = {};
const T = (text, values = {}) => (PHRASES[text] ?? text).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
// Whatever comes from rows or models goes into textContent or value: it never becomes markup.
const $ = (id) => document.getElementById(id);
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const token = /^#token=(.+)$/.exec(location.hash)?.[1] ?? sessionStorage.getItem("token") ?? "";
sessionStorage.setItem("token", token);
history.replaceState(null, "", location.pathname);
let entries = [], facts = {}, at = 0, busy = false;

async function call(path, body) {
  const how = { headers: { Authorization: `Bearer ${token}` } };
  if (body !== undefined) {
    how.method = "POST";
    how.headers["Content-Type"] = "application/json";
    how.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, how);
  } catch {
    throw new Error(T("ftrun review is no longer running. Start it again; your decisions are saved."));
  }
  const found = await answer.json();
  if (!answer.ok) throw new Error([found.error, found.hint].filter(Boolean).join(" "));
  return found;
}

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

function show(element, text) {
  element.replaceChildren();
  for (const character of text) {
    if (!CONTROL.test(character)) { element.append(character); continue; }
    const mark = document.createElement("span");
    mark.className = "control";
    mark.textContent = "\\u" + character.codePointAt(0).toString(16).padStart(4, "0");
    element.append(mark);
  }
  element.normalize();
  element.dir = "auto";
}

const open = (entry) => entry.status === "pending";
const shown = () => ($("all").checked ? entries : entries.filter((one) => open(one) || one === entries[at]));
const waiting = () => entries.filter(open).length;

function step(by) {
  const list = $("all").checked ? entries : entries.filter(open);
  if (!list.length) return draw();
  const here = entries[at];
  let place = list.indexOf(here);
  if (place < 0) place = list.findIndex((one) => entries.indexOf(one) > at) - (by > 0 ? 1 : 0);
  at = entries.indexOf(list[(Math.max(place, -1) + by + list.length) % list.length]);
  draw();
}

function row(name, entry) {
  const line = document.createElement("tr"), head = document.createElement("th");
  const old = document.createElement("td"), fresh = document.createElement("td");
  const area = document.createElement("textarea");
  head.scope = "row";
  show(head, name);
  show(old, entry.old[name] ?? "");
  area.value = entry.new[name];
  area.name = name;
  area.dir = "auto";
  area.setAttribute("aria-label", T("new {name}", { name }));
  const mark = () => area.classList.toggle("changed", area.value !== (entry.old[name] ?? ""));
  area.addEventListener("input", mark);
  mark();
  fresh.append(area);
  line.append(head, old, fresh);
  return line;
}

function draw() {
  const entry = entries[at], list = shown();
  $("title").textContent = T("Review: {experiment}", { experiment: facts.experiment });
  const decided = entries.length - waiting();
  $("counts").textContent = T("{pending} pending, {decided} decided", { pending: waiting(), decided });
  const done = !entry || (!waiting() && !$("all").checked);
  $("entry").hidden = done;
  $("done").hidden = !done;
  if (done) {
    const approved = entries.filter((one) => one.status === "approved").length;
    $("how").textContent = !approved ? "" : facts.source_line
      ? T("{approved} approved rows are in {file}. To train on them, add this to data.sources: {line}", { approved, file: facts.training_file, line: facts.source_line })
      : T("{approved} approved rows are in {file}, which is a source: the next run trains on them.", { approved, file: facts.training_file });
    return;
  }
  const origin = (entry.origin ?? []).map((one) => `${one.file}:${one.line}`).join(", ");
  const made = entry.made ?? {};
  const parts = [T("{at} of {count}", { at: list.indexOf(entry) + 1, count: list.length }), entry.status, entry.kind, entry.id, origin && T("made from {origin}", { origin })];
  show($("about"), [...parts, made.model && T("made by {model}", { model: made.model }), made.time].filter(Boolean).join(" · "));
  $("left").textContent = entry.kind === "failure" ? T("what the tuned model said") : entry.kind === "new" ? T("one of the rows shown to the model") : T("old");
  show($("note"), entry.note ?? "");
  $("note").hidden = !entry.note;
  $("texts").replaceChildren(...Object.keys(entry.new).map((name) => row(name, entry)));
  $("more").hidden = !entry.rest;
  show($("rest"), entry.rest ? JSON.stringify(entry.rest, null, 2) : "");
}

async function decide(status) {
  const entry = entries[at];
  if (busy || !entry || $("entry").hidden) return;
  busy = true;
  const texts = Object.fromEntries([...document.querySelectorAll("textarea")].map((one) => [one.name, one.value]));
  try {
    const saved = await call(`/api/entries/${encodeURIComponent(entry.id)}`, { version: entry.version, status, new: texts });
    entries[at] = saved;
    say("");
    document.activeElement?.blur();
    if (status === "pending") draw(); else step(1);
  } catch (error) {
    say(error.message);
  } finally {
    busy = false;
  }
}

function edit() {
  const areas = [...document.querySelectorAll("textarea")];
  (areas.find((one) => !one.value.trim()) ?? areas[0])?.focus();
}

const KEYS = { a: () => decide("approved"), r: () => decide("rejected"), u: () => decide("pending"), e: edit, j: () => step(1), k: () => step(-1) };
document.addEventListener("keydown", (event) => {
  const editing = event.target instanceof HTMLTextAreaElement;
  if (editing && event.key === "Escape") event.target.blur();
  else if (editing && event.key === "Enter" && (event.ctrlKey || event.metaKey)) decide("approved");
  else if (!editing && !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing && KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});
for (const [id, act] of Object.entries({ approve: KEYS.a, reject: KEYS.r, undo: KEYS.u, edit, next: KEYS.j, back: KEYS.k }))
  $(id).addEventListener("click", act);
$("all").addEventListener("change", draw);
$("close").addEventListener("click", async () => {
  try { await call("/api/close", {}); } catch (error) { return say(error.message); }
  document.querySelector("main").textContent = T("Review ended. You can close this page.");
});

async function load() {
  try {
    facts = await call("/api/entries");
    entries = facts.entries;
    at = Math.max(0, entries.findIndex(open));
    draw();
  } catch (error) {
    say(error.message);
  }
}
load();
