// The example browser: reads the JSON in the page, filters it, shows one example at a time.
// Every text reaches the page through textContent, so nothing of it is ever markup.
"use strict";
const PHRASES = {};
const T = (text, values = {}) => (PHRASES[text] ?? text).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
(() => {
  const examples = JSON.parse(document.getElementById("examples-json").textContent);
  const root = document.getElementById("browser");
  const form = root.querySelector("form");
  const card = root.querySelector(".card");
  const where = root.querySelector("output");
  const [previous, next] = root.querySelectorAll("button[data-step]");
  let found = examples;
  let at = 0;

  const matches = (example) => {
    const { split, role, marked } = form.elements;
    if (split.value && example.split !== split.value) return false;
    if (marked && marked.checked && example.tags.length === 0) return false;
    const words = wide(form.elements.words.value.trim());
    const texts = example.turns.filter((turn) => !role.value || turn.role === role.value);
    if (!words) return texts.length > 0;
    const place = wide(`${example.file}:${example.line}`);
    return texts.some((turn) => wide(turn.text).includes(words)) || (!role.value && place.includes(words));
  };

  const turnElement = (turn, words) => {
    const element = make("div", turn.trained ? "turn learned" : "turn");
    const who = make("p", "who");
    who.append(make("span", "", turn.name ? `${turn.role} ${turn.name}` : turn.role));
    const avoided = turn.role === "not preferred";
    if (turn.trained) who.append(make("span", avoided ? "tag" : "tag good", avoided ? T("learned to avoid") : T("learned")));
    const said = make("div", "said");
    said.dir = "auto";
    if (turn.lang) said.lang = turn.lang;
    put(said, turn.text, words);
    element.append(who, said);
    if (turn.cut) element.append(make("p", "soft", T("… and {n} more characters", { n: turn.cut.toLocaleString("en") })));
    return element;
  };

  const show = () => {
    const example = found[at];
    previous.disabled = at <= 0;
    next.disabled = at >= found.length - 1;
    where.textContent = example ? T("{at} of {count}", { at: at + 1, count: found.length }) : T("no example matches");
    card.replaceChildren();
    if (!example) return;
    const head = make("p", "id");
    head.append(make("span", "", `${example.split} ${example.number}`));
    head.append(make("code", "", `${example.file}:${example.line}`));
    head.append(make("span", "", T("{tokens} tokens, {learned} learned", { tokens: example.tokens.toLocaleString("en"), learned: example.trained_tokens.toLocaleString("en") })));
    if (example.tools) head.append(make("span", "", T("tools: {tools}", { tools: example.tools })));
    for (const tag of example.tags) head.append(make("span", "tag", tag));
    const words = wide(form.elements.words.value.trim());
    card.append(head, ...example.turns.map((turn) => turnElement(turn, words)));
  };

  const step = (by) => {
    at = Math.min(Math.max(at + by, 0), Math.max(found.length - 1, 0));
    show();
  };

  const filter = () => {
    found = examples.filter(matches);
    at = 0;
    show();
  };

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  root.addEventListener("keydown", (event) => {
    if (["INPUT", "SELECT"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: -1, k: -1, ArrowRight: 1, j: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    step(by);
  });
  root.hidden = false;
  show();
})();
