"use strict";
const model = JSON.parse(document.getElementById("model").textContent);
const form = document.getElementById("row");
const answer = document.getElementById("answer");
const made = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const inputOf = (column, at) => {
  const id = `field-${at}`;
  const start = column.start;
  if (column.kind === "boolean" || column.categories) {
    const choices = column.kind === "boolean" ? [true, false] : column.categories;
    const select = made("select", { id });
    choices.forEach((choice, index) => select.append(made("option", { value: index, selected: choice === start }, String(choice))));
    if (column.nullable) select.append(made("option", { value: "missing", selected: start === null }, "(missing)"));
    select.taken = () => (select.value === "missing" ? null : choices[Number(select.value)]);
    return select;
  }
  const numeric = column.kind === "number" || column.kind === "integer";
  const long = column.kind === "string";
  const input = made(long ? "textarea" : "input", { id, value: start === null ? "" : String(start) });
  if (!long) input.autocomplete = "off";
  if (numeric) input.inputMode = "decimal";
  if (column.nullable) input.placeholder = "missing";
  input.taken = () => {
    const text = input.value;
    if (text.trim() === "" && (column.nullable || numeric)) return null;
    const number = Number(text);
    return numeric && Number.isFinite(number) ? number : text;
  };
  return input;
};

const fields = model.columns.map((column, at) => {
  const input = inputOf(column, at);
  const hint = made("small", { textContent: column.hint });
  const field = made("div", { className: input.tagName === "TEXTAREA" ? "field wide" : "field" },
    made("label", { htmlFor: input.id, textContent: column.name }), input, hint);
  return { column, input, hint, field };
});
document.getElementById("fields").append(...fields.map((one) => one.field));

// Values that training did not see are no errors, but worth a word.
const unseen = ({ column, input }) => {
  const value = input.taken();
  return typeof value === "number" && column.range !== null && (value < column.range[0] || value > column.range[1]);
};
const showHints = () => {
  for (const one of fields) {
    const odd = unseen(one);
    one.field.classList.remove("wrong");
    one.field.classList.toggle("unseen", odd);
    one.hint.textContent = odd ? `training saw only ${one.column.range[0]} to ${one.column.range[1]}` : one.column.hint;
  }
};

const rowOf = () => Object.fromEntries(fields.map(({ column, input }) => [column.name, input.taken()]));
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const showRequest = () => {
  const body = JSON.stringify([rowOf()]);
  document.getElementById("curl").textContent =
    `curl ${location.origin}${model.path} -H 'Content-Type: application/json' -d ${quoted(body)}`;
};

const showProblems = (problems) => {
  showHints();
  for (const { column, hint, field } of fields) {
    const own = problems.filter((problem) => problem.column === column.name);
    if (own.length === 0) continue;
    field.classList.add("wrong");
    hint.textContent = own.map((problem) => `${problem.problem}; takes ${problem.allowed ?? column.hint}`).join("; ");
  }
};

const shown = (value) => (Array.isArray(value) ? value.map(shown).join(", ") : typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value));
const showAnswer = (document_) => {
  const parts = [made("div", { className: "answer", textContent: shown(document_.predictions[0]) })];
  const chances = document_.probabilities ? document_.probabilities[0] : [];
  const order = chances.map((chance, at) => [chance, document_.labels[at]]).sort((one, other) => other[0] - one[0]).slice(0, 10);
  for (const [chance, label] of order) {
    const bar = made("i");
    bar.style.width = `${100 * chance}%`;
    parts.push(made("div", { className: "chance" }, made("span", { textContent: String(label) }), made("b", {}, bar),
      made("span", { textContent: `${(100 * chance).toFixed(1)} %` })));
  }
  answer.replaceChildren(...parts);
};

let asked = 0;
const ask = async () => {
  const turn = ++asked;
  showRequest();
  try {
    const reply = await fetch(model.path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify([rowOf()]) });
    const document_ = await reply.json();
    if (turn !== asked) return; // a later row was asked for meanwhile
    document.getElementById("json").textContent = JSON.stringify(document_, null, 2);
    showProblems(document_.problems ?? []);
    if (reply.ok) showAnswer(document_);
    else answer.replaceChildren(made("div", { className: "answer error", textContent: document_.error }));
  } catch (error) {
    answer.replaceChildren(made("div", { className: "answer error", textContent: `The server can't be reached: ${error.message}` }));
  }
};

form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
let pause = 0;
form.addEventListener("input", () => {
  showRequest();
  clearTimeout(pause);
  pause = setTimeout(ask, 250);
});
ask();
