// The answer browser: reads the JSON in the page, filters and searches it, shows a page of questions at a time.
// Every text reaches the page through textContent, so nothing of it is ever markup.
"use strict";
(() => {
const PHRASES = {};
const T = (text, values = {}) => (PHRASES[text] ?? text).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
const PER_PAGE = 10;
const MOST_CELLS = 1500000; // of the table of one comparison of texts; larger ones are not compared
const ALIKE = 0.3; // share of the words of the longer text that both have; with fewer the texts just differ
const data = JSON.parse(document.getElementById("answers-json").textContent);
const root = document.getElementById("answer-browser");
const form = root.querySelector("form");
const field = form.elements;
const list = root.querySelector(".list");
const count = (number) => number.toLocaleString("en");
let found = [];
let page = 0;

// What is searched in a question; made when it is needed first.
const haystack = (one) => (one.haystack ??= wide([
  one.id, one.asked.text, one.reference?.text ?? "", ...one.answers.map((answer) => answer.text),
].join("\n")));

const changed = () => data.changes[Number(field.against?.value ?? 0)] ?? { fixed: [], broken: [] };
const failed = (one) => one.answers.some((answer) => answer.by === data.subject && answer.passed === false);

const matches = (one, index, filter) => {
  if (filter.only && !filter.only.has(index)) return false;
  if (filter.set && one.set !== filter.set) return false;
  if (filter.tag && !one.tags.includes(filter.tag)) return false;
  if (filter.judges && !one.answers.some((answer) => judged(answer, filter))) return false;
  return !filter.words || haystack(one).includes(filter.words);
};

const judged = (answer, filter) => {
  if (filter.by !== "" && answer.by !== Number(filter.by)) return false;
  if (filter.result && String(answer.passed) !== filter.result) return false;
  if (!filter.scorer || (filter.least === "" && filter.most === "")) return true;
  const value = answer.scores[filter.scorer];
  if (value === undefined) return false;
  return (filter.least === "" || value >= Number(filter.least)) && (filter.most === "" || value <= Number(filter.most));
};

const value = (name) => field[name]?.value ?? "";

const chosen = () => {
  const only = { fixed: () => changed().fixed, broken: () => changed().broken,
    failed: () => [...data.cases.keys()].filter((index) => failed(data.cases[index])) }[value("show")];
  const filter = { set: value("set"), tag: value("tag"), by: value("by"), result: value("result"),
    scorer: value("scorer"), least: value("least"), most: value("most"), words: wide(value("words").trim()) };
  filter.only = only ? new Set(only()) : null;
  filter.judges = filter.by !== "" || filter.result || (filter.scorer && (filter.least !== "" || filter.most !== ""));
  return filter;
};

const score = (one, by) => one.answers.find((answer) => answer.by === by)?.scores[value("scorer") || data.scorers[0]];

const sorted = (indexes) => {
  const order = value("order");
  if (!order) return indexes;
  const by = value("by") === "" ? data.subject : Number(value("by"));
  const other = data.candidates.indexOf(changed().b ?? "base");
  const rank = (index) => {
    const own = score(data.cases[index], by);
    if (own === undefined) return Infinity;
    if (order === "lowest" || order === "highest") return order === "lowest" ? own : -own;
    const theirs = score(data.cases[index], other);
    if (theirs === undefined) return Infinity;
    return order === "gain" ? theirs - own : own - theirs;
  };
  return indexes.map((index) => [rank(index), index]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((pair) => pair[1]);
};

// Words of letters that are set apart by spaces; single characters of Chinese, Japanese and others.
const TOKENS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{M}\p{N}_]+|\s+|[^]/gu;

const WORDS = /[\p{L}\p{N}]/u;
const words = (tokens) => tokens.filter((token) => WORDS.test(token)).length;

// Returns [kind, text] pieces: "same", "more" (only in the answer) and "less" (only in the reference).
const differences = (reference, answer) => {
  const a = reference.match(TOKENS) ?? [], b = answer.match(TOKENS) ?? [];
  let start = 0, end = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const rows = a.length - start - end, columns = b.length - start - end;
  if ((rows + 1) * (columns + 1) > MOST_CELLS) return null;
  const wideRow = columns + 1, table = new Uint16Array((rows + 1) * wideRow);
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      table[i * wideRow + j] = a[start + i] === b[start + j]
        ? table[(i + 1) * wideRow + j + 1] + 1
        : Math.max(table[(i + 1) * wideRow + j], table[i * wideRow + j + 1]);
    }
  }
  const pieces = [];
  let common = 0;
  const add = (kind, text) => {
    if (kind === "same" && WORDS.test(text)) common++;
    const last = pieces.at(-1);
    if (last && last[0] === kind) last[1] += text;
    else pieces.push([kind, text]);
  };
  for (let at = 0; at < start; at++) add("same", b[at]);
  let i = 0, j = 0;
  while (i < rows || j < columns) {
    if (i < rows && j < columns && a[start + i] === b[start + j]) { add("same", b[start + j]); i++; j++; }
    else if (j >= columns || (i < rows && table[(i + 1) * wideRow + j] >= table[i * wideRow + j + 1])) add("less", a[start + i++]);
    else add("more", b[start + j++]);
  }
  for (let at = b.length - end; at < b.length; at++) add("same", b[at]);
  return common < ALIKE * Math.max(words(a), words(b)) ? null : pieces;
};

const said = (text, css, words, tag = "p") => {
  const element = make(tag, css);
  element.dir = "auto";
  if (text.lang) element.lang = text.lang;
  put(element, text.text, words);
  return element;
};

const compared = (answer, reference, words) => {
  const marks = reference && field.differences.checked && answer.text !== reference.text;
  const pieces = marks ? differences(reference.text, answer.text) : null;
  if (!pieces) return said(answer, "said", words);
  const element = make("p", "said");
  element.dir = "auto";
  if (answer.lang) element.lang = answer.lang;
  for (const [kind, text] of pieces) {
    const place = kind === "same" ? element : make(kind === "more" ? "ins" : "del");
    put(place, text, words);
    if (place !== element) element.append(place);
  }
  return element;
};

const number = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 1));

const MARKS = { true: ["mark good", T("✓ passes")], false: ["mark bad", T("✗ fails")], null: ["mark", T("not judged")] };

const answerElement = (answer, reference, words) => {
  const element = make("div", "answer");
  const who = make("p", "who");
  const name = data.candidates[answer.by];
  who.append(make("span", "", answer.repeat ? `${name} (${answer.repeat + 1})` : name));
  const scores = Object.entries(answer.scores).filter(([scorer]) => scorer !== "expect"); // that is the mark
  if (answer.passed !== null || scores.length === 0) who.append(make("span", ...MARKS[answer.passed]));
  element.append(who);
  if (answer.refusal) {
    const kind = answer.refusal === "content_filter" ? T("withheld by the server's content filter") : T("a refusal, not an answer");
    element.append(make("p", "turns", kind));
  }
  if (answer.text) element.append(compared(answer, reference, words));
  else if (!answer.calls) element.append(make("p", "said soft", T("(an empty answer)")));
  for (const call of answer.calls ?? []) element.append(make("p", "said call", call));
  if (scores.length) element.append(make("p", "scores", scores.map(([scorer, one]) => `${scorer} ${number(one)}`).join(" · ")));
  if (answer.why) {
    const why = make("ul", answer.passed === false ? "why" : "why soft");
    why.append(...answer.why.map((reason) => make("li", "", reason)));
    element.append(why);
  }
  return element;
};

const caseElement = (index, words) => {
  const one = data.cases[index];
  const article = make("article", "question");
  article.tabIndex = -1;
  const header = make("header"), head = make("div", "id");
  head.append(make("span", "", one.id));
  if (one.recall || one.set !== "prompts") head.append(make("span", "mark", one.recall ? T("recall") : one.set));
  for (const tag of one.tags) head.append(make("span", "mark", tag));
  const { a, b, fixed, broken, graded } = changed();
  if (!graded && fixed.includes(index)) head.append(make("span", "mark good", T("fixed: {candidate} passes, {candidate_2} fails", { candidate: a, candidate_2: b })));
  if (!graded && broken.includes(index)) head.append(make("span", "mark bad", T("broken: {candidate} fails, {candidate_2} passes", { candidate: a, candidate_2: b })));
  header.append(head);
  if (one.system) {
    const details = make("details");
    details.append(make("summary", "", T("Its system prompt")), said(one.system, "text", words, "div"));
    header.append(details);
  }
  for (const [role, text] of one.turns ?? []) {
    const turn = make("p", "turns", `${role}: `);
    turn.append(said(text, "", words, "span"));
    header.append(turn);
  }
  header.append(said(one.asked, "", words, "h3"));
  const answers = make("div", "answers");
  if (one.reference) {
    const box = make("div", "answer reference"), who = make("p", "who");
    who.append(make("span", "", T("reference")));
    box.append(who, said(one.reference, "said", words));
    answers.append(box);
  }
  answers.append(...one.answers.map((answer) => answerElement(answer, one.reference, words)));
  article.append(header, answers);
  return article;
};

const show = (focus) => {
  const first = page * PER_PAGE, last = Math.min(first + PER_PAGE, found.length);
  const words = wide(value("words").trim());
  list.replaceChildren(...found.slice(first, last).map((index) => caseElement(index, words)));
  const places = { first: count(first + 1), last: count(last), count: count(found.length), all: count(data.cases.length) };
  const text = found.length === 0 ? T("no question matches") : found.length === data.cases.length
    ? T("{first}-{last} of {count}", places) : T("{first}-{last} of {count} (of {all} in all)", places);
  for (const steps of root.querySelectorAll(".steps")) {
    steps.querySelector("output").textContent = text;
    steps.querySelector('[data-step="-1"]').disabled = page === 0;
    steps.querySelector('[data-step="1"]').disabled = last >= found.length;
  }
  root.querySelector(".steps.end").hidden = found.length <= PER_PAGE;
  if (focus) root.scrollIntoView();
};

const step = (by) => {
  const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
  const next = Math.min(Math.max(page + by, 0), pages - 1);
  if (next === page) return;
  page = next;
  show(true);
};

const filter = () => {
  const wanted = chosen();
  found = sorted((wanted.only ? [...wanted.only] : [...data.cases.keys()]).filter((index) => matches(data.cases[index], index, wanted)));
  page = 0;
  show(false);
};

// Fills a list of choices, or hides its label where there is nothing to choose.
const offer = (name, choices) => {
  if (choices.length < 2 && name !== "scorer") field[name].closest("label").hidden = true;
  if (choices.length < 1) field[name].closest("label").hidden = true;
  for (const [key, text] of choices) {
    const option = make("option", "", text);
    option.value = key;
    field[name].append(option);
  }
};

const counts = () => {
  const sizes = { all: data.cases.length, fixed: changed().fixed.length, broken: changed().broken.length, failed: data.cases.filter(failed).length };
  for (const input of form.querySelectorAll('input[name="show"]')) {
    const size = sizes[input.value];
    input.parentElement.querySelector("b").textContent = count(size);
    input.closest("label").hidden = input.value !== "all" && size === 0;
    const graded = changed().graded ?? false;
    for (const word of input.parentElement.querySelectorAll(".flipped, .graded")) {
      word.hidden = word.classList.contains("graded") !== graded;
    }
  }
};

const names = (all) => all.map((name) => [name, name]);
offer("against", data.changes.map((one, index) => [index, `${one.a} · ${one.b} (${one.metric})`]));
offer("set", names(data.sets));
offer("tag", names(data.tags.concat(data.tags.length === 1 ? [] : [])));
if (data.tags.length === 1) field.tag.closest("label").hidden = false;
offer("by", data.candidates.map((name, index) => [index, name]));
offer("scorer", names(data.scorers));
if (data.scorers.length === 0) {
  for (const name of ["least", "most", "order"]) field[name].closest("label").hidden = true;
}
if (data.candidates.length < 2) {
  for (const option of field.order.querySelectorAll(".pair")) option.remove();
}
if (!data.cases.some((one) => one.reference)) field.differences.closest("label").hidden = true;
counts();

form.addEventListener("input", (event) => {
  if (event.target.name === "against") counts();
  filter();
});
form.addEventListener("submit", (event) => event.preventDefault());
for (const button of root.querySelectorAll("button[data-step]")) {
  button.addEventListener("click", () => step(Number(button.dataset.step)));
}
for (const link of document.querySelectorAll("a[data-show]")) {
  link.addEventListener("click", () => {
    form.querySelector(`input[name="show"][value="${link.dataset.show}"]`).checked = true;
    filter();
  });
}
const neighbour = (by) => {
  const articles = [...list.children];
  const at = articles.indexOf(document.activeElement?.closest(".question"));
  articles[Math.min(Math.max(at + by, 0), articles.length - 1)]?.focus();
};
document.addEventListener("keydown", (event) => {
  if (["INPUT", "SELECT"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    field.words.focus();
  } else if (root.contains(event.target)) {
    const action = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), j: () => neighbour(1), k: () => neighbour(-1) }[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  }
});
root.hidden = false;
filter();
})();
