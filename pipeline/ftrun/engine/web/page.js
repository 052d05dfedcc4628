"use strict";
const PHRASES = {};
const T = (text, values = {}) => (PHRASES[text] ?? text).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
// What comes from models, data and the store goes into textContent or value: it never becomes markup.
const $ = (id) => document.getElementById(id);
const LANGUAGE = document.documentElement.lang;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const POLL_MS = 2000;
let token = sessionStorage.getItem("token") ?? "";
let view = sessionStorage.getItem("view") ?? "jobs";
const titles = { jobs: document.title };

function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Control characters and those that turn the direction of text are shown, not obeyed.
function append(element, text) {
  let plain = "";
  for (const character of text) {
    if (!CONTROL.test(character)) { plain += character; continue; }
    element.append(plain, make("span", "\\u" + character.codePointAt(0).toString(16).padStart(4, "0"), { class: "control" }));
    plain = "";
  }
  element.append(plain);
}

function show(element, text) {
  element.replaceChildren();
  append(element, text);
}

function say(text) {
  if ($("message").textContent !== text) show($("message"), text);
  $("message").hidden = !text;
}

async function send(path, body, signal) {
  const how = { headers: { Authorization: `Bearer ${token}` }, cache: "no-store", signal };
  if (body !== undefined) {
    how.method = "POST";
    how.headers["Content-Type"] = "application/json";
    how.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, how);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(T("The engine does not answer. It stops when nobody has used it for 30 minutes: start it again."));
  }
  if (answer.ok) return answer;
  if (answer.status === 401) {
    requestToken();
    throw new Error(T("This is not the token of the engine that runs now."));
  }
  const found = await answer.json().catch(() => ({}));
  throw new Error(await inLanguage(found.error?.message ?? `HTTP ${answer.status}`));
}

const get = async (path, body) => (await send(path, body)).json();

async function inLanguage(text) {
  if (LANGUAGE === "en") return text;
  const found = await get("/ftrun/localized", { text, language: LANGUAGE }).catch(() => ({ text }));
  return found.text;
}

function requestToken() {
  sessionStorage.removeItem("token");
  for (const id of ["views", "jobs", "chat"]) $(id).hidden = true;
  $("enter").hidden = false;
}

function turnTo(name) {
  view = name;
  sessionStorage.setItem("view", view);
  show($("title"), titles[view]);
  document.title = titles[view];
  for (const one of ["jobs", "chat"]) {
    $(one).hidden = one !== view;
    $(`to-${one}`).setAttribute("aria-current", one === view ? "page" : "false");
  }
  poll();
}

// Ask again while somebody looks: at jobs every two seconds, at the list of models now and then.
let timer = 0, polling = false, lost = "";
async function poll() {
  clearTimeout(timer);
  if (polling || document.visibilityState !== "visible" || !$("enter").hidden) return;
  polling = true;
  const started = performance.now(), shown = view;
  try {
    await (shown === "jobs" ? refreshJobs() : refreshModels());
    if (lost) say("");
    lost = "";
  } catch (error) {
    lost = error.message;
    say(lost);
  }
  polling = false;
  const pause = (shown === "jobs" ? 1 : 10) * POLL_MS;
  if (shown !== view) poll();
  else timer = setTimeout(poll, Math.max(pause, 10 * (performance.now() - started)));
}
document.addEventListener("visibilitychange", poll);

async function takeCode() {
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1];
  history.replaceState(null, "", location.pathname + location.search);
  if (!code) return "";
  const answer = await fetch("/ftrun/pages/open", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  });
  if (!answer.ok) return T("This address was opened already, or is too old: run the command again, or enter the token.");
  const found = await answer.json();
  token = found.token;
  sessionStorage.setItem("token", token);
  sessionStorage.setItem("page", JSON.stringify(found.page));
  if (found.page.models.length) view = "chat";
  return "";
}

async function begin() {
  const trouble = await takeCode().catch(() => T("The engine does not answer. It stops when nobody has used it for 30 minutes: start it again."));
  if (token) await enter();
  else requestToken();
  if (trouble) say(trouble);
}

async function enter() {
  const page = JSON.parse(sessionStorage.getItem("page") ?? "{}");
  titles.chat = page.title || titles.jobs;
  try {
    await get("/ftrun/info");
    await setUpChat(page);
  } catch (error) {
    return say(error.message);
  }
  sessionStorage.setItem("token", token);
  $("enter").hidden = true;
  $("views").hidden = false;
  say("");
  turnTo(view);
}

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  // the whole line that `ftrun serve` prints will do
  token = $("token").value.trim().replace(/^(export\s+)?OPENAI_API_KEY=/, "");
  $("token").value = "";
  enter();
});
for (const name of ["jobs", "chat"]) $(`to-${name}`).addEventListener("click", () => turnTo(name));
addEventListener("hashchange", begin);
addEventListener("load", begin);
