// The playground: a question to up to three models at a time, each with its own conversation.
const MOST = 3;
const DRAW_MS = 60; // a long answer takes time to lay out: not with every token
const DEFAULTS = { temperature: 0, max_tokens: 256, seed: 42 };
const SAMPLING = ["temperature", "top_p", "max_tokens", "seed"];
const KINDS = { base: T("Base models"), model: T("Tuned models"), checkpoint: T("Checkpoints"), alias: T("Aliases") };
const BROKEN = T("The answer broke off: the engine was stopped.");
// A column is a model and what it answered: a turn -> its text.
let columns = [], turns = [], models = [], labels = {}, asked = null;
const column = (model) => ({ model, answers: new Map() });

async function setUpChat(page) {
  const sampling = page.sampling ?? DEFAULTS;
  for (const name of SAMPLING) $(name).value = sampling[name] ?? "";
  $("system").value = page.system ?? "";
  $("settings").open = Boolean(page.system) && innerWidth >= 800;
  labels = Object.fromEntries((page.models ?? []).map((one) => [one.model, one.label]));
  models = (await get("/ftrun/models")).data;
  columns = (page.models ?? []).map((one) => column(one.model));
  if (!columns.length) columns = firstModels().map(column);
  $("prompts").replaceChildren(...(page.prompts ?? []).map((text) => {
    const button = make("button", "", { type: "button", class: "prompt" });
    show(button, text);
    button.addEventListener("click", () => ask(text));
    return button;
  }));
  drawColumns();
}

// The newest tuned model beside its base, or the first base model.
function firstModels() {
  const tuned = models.find((one) => one.kind === "model");
  return tuned ? [tuned.id, tuned.base] : models.slice(0, 1).map((one) => one.id);
}

async function refreshModels() {
  const found = (await get("/ftrun/models")).data;
  if (JSON.stringify(found) === JSON.stringify(models)) return;
  models = found;
  drawColumns();
}

function tryModels(names) {
  columns = names.slice(0, MOST).map(column);
  turnTo("chat");
  refreshModels().then(drawColumns, (error) => say(error.message));
}

const called = (name) => (labels[name] ? `${labels[name]}: ${name}` : name);

function picker(one, n) {
  const select = make("select", "", { "aria-label": T("Model {n}", { n }) });
  const known = models.some(({ id }) => id === one.model) ? models : [{ id: one.model, kind: "base" }, ...models];
  for (const [kind, title] of Object.entries(KINDS)) {
    const group = make("optgroup", "", { label: title });
    for (const name of known) if (name.kind === kind) group.append(make("option", called(name.id), { value: name.id }));
    if (group.children.length) select.append(group);
  }
  select.value = one.model;
  select.addEventListener("change", () => { one.model = select.value; });
  return select;
}

function drawColumns() {
  const focused = [...$("columns").querySelectorAll("select")].indexOf(document.activeElement);
  if (focused >= 0) return void $("columns").addEventListener("focusout", drawColumns, { once: true });
  $("columns").replaceChildren(...columns.map((one, at) => {
    const head = make("div", "", { class: "picker" });
    head.append(picker(one, at + 1));
    if (columns.length > 1) {
      const away = make("button", "×", { type: "button", "aria-label": T("Remove model {n}", { n: at + 1 }) });
      away.addEventListener("click", () => { columns.splice(at, 1); drawColumns(); });
      head.append(away);
    }
    return head;
  }));
  $("add-model").hidden = columns.length >= MOST;
}

// A model's own conversation: the turns that it answered.
function conversation(turn, answers) {
  const messages = $("system").value.trim() ? [{ role: "system", content: $("system").value }] : [];
  for (const one of turns) {
    const said = answers.get(one);
    if (said) messages.push({ role: "user", content: one.question }, { role: "assistant", content: said });
  }
  return [...messages, { role: "user", content: turn.question }];
}

function sampled() {
  const given = SAMPLING.filter((name) => $(name).value !== "").map((name) => [name, Number($(name).value)]);
  return Object.fromEntries(given);
}

async function ask(question) {
  if (asked || !question.trim()) return;
  const wrong = SAMPLING.map($).find((field) => !field.checkValidity());
  if (wrong) {
    $("settings").open = true;
    return wrong.reportValidity();
  }
  const turn = { question };
  turns.push(turn);
  asked = new AbortController();
  const row = make("article", "", { class: "turn" }), side = make("div", "", { class: "side" });
  row.append(make("p", "", { class: "question", dir: "auto" }), side);
  show(row.firstChild, question);
  $("turns").append(row);
  $("question").value = "";
  busy(true);
  const all = columns.map((one) => {
    const cell = make("section", "", { class: "answer" });
    cell.append(make("h3"), make("p", "", { class: "said", dir: "auto" }), make("p", "", { class: "soft" }));
    show(cell.firstChild, called(one.model));
    side.append(cell);
    return answer(one, turn, cell, asked.signal);
  });
  row.scrollIntoView({ block: "nearest" });
  await Promise.all(all);
  asked = null;
  busy(false);
}

function busy(now) {
  $("send").disabled = now;
  $("stop").hidden = !now;
  $("restart").disabled = now;
  for (const one of $("prompts").children) one.disabled = now;
  if (!now && innerWidth >= 800) $("question").focus();
}

async function answer({ model, answers }, turn, cell, signal) {
  const [, said, note] = cell.children, started = performance.now();
  const body = { model, messages: conversation(turn, answers), ...sampled(), stream: true, stream_options: { include_usage: true } };
  let first = 0, usage = null, reason = "", fresh = "";
  const draw = () => {
    if (fresh) note.textContent = "";
    append(said, fresh);
    fresh = "";
    follow();
  };
  note.textContent = T("waiting …");
  try {
    for await (const chunk of eventsOf(await send("/v1/chat/completions", body, signal))) {
      if (chunk.error) throw new Error(await inLanguage(chunk.error.message));
      const piece = chunk.choices[0]?.delta.content ?? "";
      if (piece && !first) first = performance.now();
      answers.set(turn, (answers.get(turn) ?? "") + piece);
      if (piece && !fresh) setTimeout(draw, DRAW_MS);
      fresh += piece;
      reason = chunk.choices[0]?.finish_reason ?? reason;
      usage = chunk.usage ?? usage;
    }
    draw();
    note.textContent = counted(usage, reason, first - started, performance.now() - started);
  } catch (error) {
    draw();
    if (signal.aborted) note.textContent = T("stopped after {span}", { span: exact(performance.now() - started) });
    else {
      show(note, error instanceof TypeError ? BROKEN : error.message); // fetch lost the connection
      note.classList.add("error");
    }
  }
  follow();
}

const exact = (milliseconds) => unit(milliseconds / 1000, "second", 1);

function counted(usage, reason, first, all) {
  const tokens = usage.completion_tokens;
  const parts = [
    T("{n} tokens", { n: number(tokens) }),
    exact(all),
    T("{n} tokens per second", { n: rate(1000 * tokens / Math.max(all, 1)) }),
    T("first token after {span}", { span: exact(Math.max(0, first)) }),
    T("prompt: {n} tokens", { n: number(usage.prompt_tokens) }),
  ];
  if (reason === "length") parts.push(T("cut at max_tokens"));
  return parts.join(" · ");
}

async function* eventsOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(BROKEN);
    const whole = (rest + value).split("\n\n");
    rest = whole.pop();
    for (const event of whole) {
      const data = event.replace(/^data: /, "");
      if (data === "[DONE]") return;
      yield JSON.parse(data);
    }
  }
}

// Stay at the end of the page for who is there.
function follow() {
  const end = document.documentElement;
  if (end.scrollHeight - innerHeight - scrollY < 160) scrollTo(0, end.scrollHeight);
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask($("question").value);
});
$("question").addEventListener("keydown", (event) => {
  // Enter also ends the conversion of Japanese input: that one doesn't send
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  ask($("question").value);
});
$("stop").addEventListener("click", () => asked?.abort());
$("restart").addEventListener("click", () => {
  turns = [];
  $("turns").replaceChildren();
  $("question").focus();
});
$("add-model").addEventListener("click", () => {
  const next = models.find(({ id }) => !columns.some((one) => one.model === id)) ?? models[0];
  columns.push(column(next.id));
  drawColumns();
});
