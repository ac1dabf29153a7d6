// The study: shows one pair after the other, keeps the choices, and counts them.

const study = JSON.parse(document.getElementById("study").textContent);
const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "neither" };
const KEPT = `blind ${study.id}`;
const others = new Map(); // session -> choices of another person
let own = { session: Math.random().toString(36).slice(2), choices: [] };

const element = (id) => document.getElementById(id);

/** Choices outlive a reload, and the tab where the browser lets a file keep something. */
function restore() {
  try {
    // After a reload Chromium 156 often gives a file an old storage; the tab's state it gives as it was.
    own = history.state ?? JSON.parse(localStorage.getItem(KEPT)) ?? own;
  } catch {
    // as private windows may: the choices then last as long as the tab
  }
}

function keep() {
  history.replaceState(own, "");
  try {
    localStorage.setItem(KEPT, JSON.stringify(own));
  } catch {
    // the same
  }
}

const isDone = () => own.choices.length === study.pairs.length;

function choose(choice) {
  own.choices.push(choice);
  keep();
  show();
}

function undo() {
  own.choices.pop();
  keep();
  element("results").hidden = true; // the next choice is to be blind
  show();
}

function startAgain() {
  if (!confirm("Forget your choices? Download them first if you want them.")) return;
  own = { session: Math.random().toString(36).slice(2), choices: [] };
  keep();
  element("results").hidden = true;
  show();
}

function show() {
  const [done, total] = [own.choices.length, study.pairs.length];
  element("progress").textContent = `${done} of ${total}`;
  element("bar").max = total;
  element("bar").value = done;
  element("undo").disabled = done === 0;
  for (const id of ["pair", "neither", "reveal"]) element(id).hidden = isDone();
  element("done").hidden = !isDone();
  if (!isDone()) {
    const [photo, left, right] = study.pairs[done];
    element("left").firstElementChild.src = study.pictures[photo][left];
    element("right").firstElementChild.src = study.pictures[photo][right];
  } else {
    element("results").hidden = false;
  }
  if (!element("results").hidden) showResults();
}

/** [i][j]: how often i was chosen over j; and of neither, in both halves. */
function count() {
  const square = () => study.models.map(() => study.models.map(() => 0));
  const [chosen, neither] = [square(), square()];
  for (const choices of [own.choices, ...others.values()]) {
    choices.forEach((choice, index) => {
      const [, left, right] = study.pairs[index];
      if (choice === "left") chosen[left][right]++;
      else if (choice === "right") chosen[right][left]++;
      else neither[left][right] = ++neither[right][left];
    });
  }
  return { chosen, neither };
}

function showResults() {
  const { chosen, neither } = count();
  const percent = (value) => `${(100 * value).toFixed(0)} %`;
  const scores = bradleyTerry(chosen.map((row, i) => row.map((value, j) => value + neither[i][j] / 2)));
  const order = scores.map((_, i) => i).sort((a, b) => scores[b].strength - scores[a].strength);
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const rows = order.map((i) => {
    const { mean, low, high } = scores[i];
    const lost = sum(chosen.map((row) => row[i]));
    const interval = `${percent(mean)} [${percent(low)}, ${percent(high)}]`;
    return [study.models[i].label, interval, sum(chosen[i]), lost, sum(neither[i])];
  });
  fill(element("scores"), rows);
  const pairs = order.flatMap((i, place) => order.slice(place + 1).map((j) => [i, j]));
  const labels = ([i, j]) => [study.models[i].label, study.models[j].label];
  const counts = ([i, j]) => [chosen[i][j], neither[i][j], chosen[j][i]];
  fill(element("counts"), pairs.map((pair) => [...labels(pair), ...counts(pair)]));
  const people = [own.choices, ...others.values()].filter((choices) => choices.length);
  const total = sum(people.map((choices) => choices.length));
  element("basis").textContent = `Choices: ${total}, people: ${people.length}`;
}

function fill(table, rows) {
  table.tBodies[0].replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement("tr");
      for (const cell of cells) row.insertCell().textContent = cell;
      return row;
    }),
  );
}

function rowsOfChoices() {
  return own.choices.map((choice, index) => {
    const [photo, left, right] = study.pairs[index];
    const [first, second] = [left, right].map((i) => study.models[i].label);
    return { photo: study.photos[photo], left: first, right: second, choice };
  });
}

function asJson() {
  const { id, seed, models } = study;
  return JSON.stringify({ study: id, seed, models, session: own.session, choices: rowsOfChoices() }, null, 2);
}

function asCsv() {
  const quote = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = [["photo", "left", "right", "choice"], ...rowsOfChoices().map(Object.values)];
  return rows.map((row) => row.map(quote).join(",") + "\n").join("");
}

function download(ending, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = `choices_${own.session}.${ending}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Choices of other people with the same page; a file that comes twice counts once. */
async function add(files) {
  const refused = [];
  for (const file of files) {
    try {
      const { study: id, session, choices } = JSON.parse(await file.text());
      const words = choices.map(({ choice }) => choice);
      const known = words.length <= study.pairs.length && words.every((w) => Object.values(KEYS).includes(w));
      if (id !== study.id || !known) throw new Error("of another study");
      if (session !== own.session) others.set(session, words);
    } catch {
      refused.push(file.name);
    }
  }
  element("refused").textContent = refused.length ? `Not choices of this page: ${refused.join(", ")}` : "";
  showResults();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key in KEYS && !isDone()) choose(KEYS[event.key]);
  else if (event.key === "Backspace") undo();
  else return;
  event.preventDefault();
});
for (const choice of Object.values(KEYS)) element(choice).addEventListener("click", () => choose(choice));
element("undo").addEventListener("click", undo);
element("again").addEventListener("click", startAgain);
element("reveal").addEventListener("click", () => {
  element("results").hidden = false;
  show();
});
element("json").addEventListener("click", () => download("json", "application/json", asJson()));
element("csv").addEventListener("click", () => download("csv", "text/csv", asCsv()));
element("others").addEventListener("change", (event) => add(event.target.files));
restore();
show();
