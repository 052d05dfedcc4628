// Jobs: the list, and one of them with its curve.
const PAGE = 20;
const TONE = { succeeded: "good", failed: "bad", cancelled: "", running: "live", paused: "warn", pausing: "warn" };
const MOVING = ["validating_files", "queued", "running"];
const STATUS = {
  validating_files: T("validating files"), queued: T("queued"), running: T("running"), pausing: T("pausing"),
  paused: T("paused"), succeeded: T("succeeded"), failed: T("failed"), cancelled: T("cancelled"),
};
const items = new Map();
let wanted = PAGE, chosen = "", looked = null, drawnFor = "", sure = 0;

const time = (seconds, timeStyle = "short") => new Date(seconds * 1000).toLocaleString(LANGUAGE, { dateStyle: "medium", timeStyle });
const number = (value) => value.toLocaleString(LANGUAGE);
const rate = (value) => value.toLocaleString(LANGUAGE, { maximumFractionDigits: value < 10 ? 1 : 0 });

const unit = (value, name, digits = 0) => value.toLocaleString(LANGUAGE, { style: "unit", unit: name, minimumFractionDigits: digits, maximumFractionDigits: digits });

function span(seconds) {
  const whole = Math.max(0, seconds);
  if (whole < 90) return unit(whole, "second");
  return whole < 5400 ? unit(whole / 60, "minute") : unit(whole / 3600, "hour", 1);
}

function mark(element, status) {
  element.textContent = STATUS[status] ?? status;
  element.className = `mark ${TONE[status] ?? ""}`;
}

async function refreshJobs() {
  const jobs = [];
  let more = true;
  while (more && jobs.length < wanted) {
    const after = jobs.length ? `&after=${encodeURIComponent(jobs.at(-1).id)}` : "";
    const page = await get(`/v1/fine_tuning/jobs?limit=${Math.min(100, wanted - jobs.length)}${after}`);
    jobs.push(...page.data);
    more = page.has_more;
  }
  $("no-jobs").hidden = jobs.length > 0;
  $("more-jobs").hidden = !more;
  if (!chosen && jobs.length) chosen = jobs[0].id;
  drawList(jobs);
  if (chosen) await refreshJob();
}

function drawList(jobs) {
  for (const [id, item] of items) if (!jobs.some((job) => job.id === id)) { item.remove(); items.delete(id); }
  jobs.forEach((job, at) => {
    let item = items.get(job.id);
    if (!item) {
      item = make("li");
      const button = make("button", "", { type: "button" });
      button.append(make("b"), make("span"), make("small"));
      button.addEventListener("click", () => choose(job.id));
      item.append(button);
      items.set(job.id, item);
    }
    if ($("job-list").children[at] !== item) $("job-list").insertBefore(item, $("job-list").children[at] ?? null);
    const [name, status, when] = item.firstChild.children;
    const title = job.user_provided_suffix || job.model;
    if (name.textContent !== title) show(name, title);
    if (item.dataset.status !== job.status) mark(status, job.status);
    item.dataset.status = job.status;
    when.textContent = time(job.created_at);
    item.firstChild.setAttribute("aria-current", String(job.id === chosen));
  });
}

function choose(id) {
  chosen = id;
  drawnFor = "";
  for (const [name, item] of items) item.firstChild.setAttribute("aria-current", String(name === id));
  refreshJob().catch((error) => say(error.message));
  if (innerWidth < 800) $("job").scrollIntoView({ block: "start" });
}

async function refreshJob() {
  const id = chosen;
  const found = await get(`/ftrun/jobs/${encodeURIComponent(id)}?lang=${LANGUAGE}`);
  if (id !== chosen || JSON.stringify(found) === drawnFor) return;
  looked = found;
  drawnFor = JSON.stringify(found);
  drawJob(found);
}

function drawJob({ job, newest, curve, checkpoints, messages }) {
  $("job").hidden = false;
  show($("job-title"), job.user_provided_suffix || job.model);
  mark($("job-status"), job.status);
  show($("job-error"), job.error?.message ? messages.find((one) => one.level === "error")?.message ?? job.error.message : "");
  $("job-error").hidden = !job.error?.message;
  drawProgress(job, newest);
  $("job-figure").hidden = curve.length < 2;
  if (curve.length >= 2) drawCurve($("job-curve"), $("job-reading"), { curve, checkpoints, total: newest.total_steps });
  $("job-try").hidden = job.status !== "succeeded";
  $("job-pause").hidden = !MOVING.includes(job.status);
  $("job-resume").hidden = !["paused", "pausing"].includes(job.status);
  $("job-cancel").hidden = job.finished_at !== null;
  unsure();
  drawFacts(job, newest);
  $("job-checkpoints-title").hidden = !checkpoints.length;
  $("job-checkpoints").replaceChildren(...checkpoints.map(({ step, model }) => {
    const button = make("button", number(step), { type: "button", title: model, "aria-label": T("Step {step}", { step }) });
    button.addEventListener("click", () => tryModels([model, job.fine_tuned_model ?? job.model]));
    return button;
  }));
  $("job-events").replaceChildren(...messages.map((one) => {
    const line = make("li", "", { class: one.level });
    line.append(make("time", time(one.created_at, "medium")), make("span"));
    show(line.lastChild, one.message);
    return line;
  }));
}

function drawProgress(job, newest) {
  const known = newest.total_steps && !["succeeded", "failed", "cancelled"].includes(job.status);
  $("job-progress").hidden = !known;
  if (!known) return;
  $("job-bar").value = newest.step / newest.total_steps;
  const parts = [T("step {step} of {total}", { step: number(newest.step), total: number(newest.total_steps) })];
  if (newest.tokens_per_second) parts.push(T("{n} tokens per second", { n: rate(newest.tokens_per_second) }));
  if (job.status === "running" && newest.seconds_left !== undefined) parts.push(T("about {span} left", { span: span(newest.seconds_left) }));
  $("job-pace").textContent = parts.join(" · ");
}

function drawFacts(job, newest) {
  const took = job.finished_at ? `${time(job.finished_at)} (${span(job.finished_at - job.created_at)})` : "";
  const facts = [
    [T("job"), job.id], [T("model"), job.model], [T("tuned model"), job.fine_tuned_model ?? ""],
    [T("created"), time(job.created_at)], [T("finished"), took],
    [T("steps"), newest.total_steps ? number(newest.total_steps) : ""],
    [T("trained tokens"), job.trained_tokens ? number(job.trained_tokens) : ""],
    [T("number format"), job.dtype ?? ""], [T("seed"), String(job.seed)],
    ...Object.entries(job.hyperparameters).map(([name, value]) => [name, String(value)]),
  ].filter(([, value]) => value);
  $("job-facts").replaceChildren(...facts.map(([name, value]) => {
    const pair = make("div", "", value.length > 20 ? { class: "long" } : {});
    pair.append(make("dt", name), make("dd"));
    show(pair.lastChild, value);
    return pair;
  }));
}

async function act(verb) {
  say("");
  try {
    await get(`/v1/fine_tuning/jobs/${encodeURIComponent(chosen)}/${verb}`, {});
  } catch (error) {
    say(error.message);
  }
  refreshJobs().catch((error) => say(error.message));
}

function unsure() {
  if (performance.now() < sure) return;
  sure = 0;
  $("job-cancel").textContent = T("Cancel");
}

$("job-cancel").addEventListener("click", () => {
  if (!sure) {
    sure = performance.now() + 5000;
    $("job-cancel").textContent = T("Really cancel? It can't be resumed.");
    setTimeout(unsure, 5100);
    return;
  }
  sure = 0;
  act("cancel");
});
$("job-pause").addEventListener("click", () => act("pause"));
$("job-resume").addEventListener("click", () => act("resume"));
$("job-try").addEventListener("click", () => tryModels([looked.job.fine_tuned_model, looked.job.model]));
$("more-jobs").addEventListener("click", () => { wanted += PAGE; poll(); });
let redraw = 0;
addEventListener("resize", () => {
  clearTimeout(redraw);
  redraw = setTimeout(() => { if (looked && view === "jobs") drawJob(looked); }, 150);
});
