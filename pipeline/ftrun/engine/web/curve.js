// The loss curve: training loss as it is and smoothed, validation loss, checkpoints.
const SVG = "http://www.w3.org/2000/svg";
const MOST_CHECKPOINTS = 20; // of which each has its mark
const HEIGHT = 280, LEFT = 46, RIGHT = 14, TOP = 34, BOTTOM = 40;

function drawn(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// The next of 1, 2, 2.5, 5 times a power of ten.
function nice(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999);
}

function smooth(points) {
  const half = Math.floor(Math.max(1, Math.min(51, Math.floor(points.length / 5))) / 2);
  return points.map(([step], at) => {
    const near = points.slice(Math.max(0, at - half), at + half + 1);
    return [step, near.reduce((sum, point) => sum + point[1], 0) / near.length];
  });
}

// `curve`: [step, training loss, validation loss of a batch, of the whole file], each loss may be null.
function lines(curve) {
  const of = (column) => curve.filter((point) => point[column] !== null).map((point) => [point[0], point[column]]);
  const train = of(1), whole = of(3);
  return [
    { kind: "raw", points: train },
    { kind: "train", name: T("training loss"), points: smooth(train) },
    { kind: "valid", name: T("validation loss"), points: whole.length ? whole : smooth(of(2)) },
  ].filter((line) => line.points.length);
}

const loss = (value) => value.toFixed(value < 0.1 ? 4 : 3);

function drawCurve(box, reading, { curve, checkpoints, total }) {
  const width = Math.max(280, box.clientWidth), found = lines(curve);
  const values = found.flatMap((line) => line.points.map((point) => point[1]));
  const last = Math.max(total ?? 0, curve.at(-1)[0], 2);
  const every = nice(Math.max(...values, 1e-6) / 4), top = Math.ceil(Math.max(...values, 1e-6) / every) * every;
  const x = (step) => LEFT + ((step - 1) / (last - 1)) * (width - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const ends = found.filter((line) => line.name).map((line) => T("{name} from {loss} to {loss_2}", { name: line.name, loss: loss(line.points[0][1]), loss_2: loss(line.points.at(-1)[1]) }));
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${T("Loss by training step")}: ${ends.join("; ")}` });
  const rule = (kind, x1, y1, x2, y2) => svg.append(drawn("line", { class: kind, x1, y1, x2, y2 }));
  const write = (kind, at, height, text) => svg.append(drawn("text", { class: kind, x: at, y: height }, text));

  for (let mark = 0; mark <= Math.round(top / every); mark += 1) {
    rule(mark ? "grid" : "axis", LEFT, y(mark * every), width - RIGHT, y(mark * every));
    write("end", LEFT - 8, y(mark * every) + 4, `${+(mark * every).toPrecision(4)}`);
  }
  const pace = Math.max(1, Math.ceil(nice(last / (width < 500 ? 4 : 8))));
  for (let step = pace; step <= last; step += pace) {
    rule("axis", x(step), HEIGHT - BOTTOM, x(step), HEIGHT - BOTTOM + 4);
    write("mid", x(step), HEIGHT - BOTTOM + 17, step.toLocaleString(LANGUAGE));
  }
  write("mid", (LEFT + width - RIGHT) / 2, HEIGHT - 5, T("training step"));
  for (const one of checkpoints.length <= MOST_CHECKPOINTS ? checkpoints : []) rule("checkpoint", x(one.step), TOP, x(one.step), HEIGHT - BOTTOM);
  found.forEach((line) => svg.append(drawn("polyline", { class: `line ${line.kind}`, points: line.points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ") })));
  for (const line of found) {
    if (line.kind !== "raw" && line.points.length <= 40) line.points.forEach(([step, value]) => svg.append(drawn("circle", { class: `dot ${line.kind}`, cx: x(step), cy: y(value), r: 3 })));
  }
  found.filter((line) => line.name).forEach((line, at) => {
    const start = LEFT + at * Math.min(170, (width - LEFT) / 2);
    rule(`line ${line.kind}`, start, TOP - 20, start + 20, TOP - 20);
    write("label", start + 26, TOP - 16, line.name);
  });

  const pointer = drawn("line", { class: "pointer", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  svg.append(pointer);
  svg.addEventListener("pointermove", (event) => {
    const frame = svg.getBoundingClientRect();
    const step = 1 + (((event.clientX - frame.left) * width / frame.width - LEFT) / (width - LEFT - RIGHT)) * (last - 1);
    const near = (points) => points.reduce((best, point) => (Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best));
    const at = near(found[0].points)[0];
    const parts = found.map((line) => [line.name ?? T("training loss of the step"), near(line.points)]);
    reading.textContent = [T("Step {step}", { step: at }), ...parts.map(([name, point]) => `${name} ${loss(point[1])}`)].join(" · ");
    for (const name of ["x1", "x2"]) pointer.setAttribute(name, x(at));
    pointer.setAttribute("visibility", "visible");
  });
  box.replaceChildren(svg);
}
