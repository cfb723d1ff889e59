// The page at /: everything is asked of /v1, nothing of anywhere else.
"use strict";
const $ = id => document.getElementById(id);
const K = 12;
const NAMES = ["title", "name"]; // fields that say what an item is called, in letters of either case
const state = { user: "", history: [], where: {}, runs: [""], numbers: false };
const known = new Map(); // item id → promise of what it is
let key = sessionStorage.getItem("cliper-key") || "";
let asked = 0, sought = 0; // of the last question, so that a late answer to an earlier one is dropped

const code = encodeURIComponent;
function say(text, bad = false) {
  $("said").textContent = text;
  $("said").classList.toggle("bad", bad);
}
async function ask(path, options = {}, run = "") {
  const headers = { ...options.headers };
  if (key) headers.Authorization = `Bearer ${key}`;
  const answer = await fetch(`${run}v1/${path}`, { ...options, headers });
  if (answer.status === 401) $("key-form").hidden = false;
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error(told.detail || `the server answered ${answer.status}`);
  }
  return answer;
}
const get = async (path, run) => (await ask(path, {}, run)).json();
function item(id) {
  if (!known.has(id)) known.set(id, get(`items/${code(id)}`).catch(() => ({ item_id: id, fields: {}, picture: null })));
  return known.get(id);
}
function shown(value) { return Array.isArray(value) ? value.join(", ") : value == null ? "" : String(value); }
function title(it) {
  for (const name of NAMES) {
    const field = Object.keys(it.fields).find(f => f.toLowerCase() === name);
    if (field && it.fields[field]) return shown(it.fields[field]);
  }
  return it.item_id;
}
async function picture(frame, it) {
  const image = frame.querySelector("img"), blank = frame.querySelector(".blank");
  const none = () => { image.hidden = true; blank.hidden = false; blank.textContent = title(it); };
  image.onerror = none;
  if (!it.picture) return none();
  try {
    if (!key) image.src = it.picture.replace(/^\//, "");
    else image.src = URL.createObjectURL(await (await ask(it.picture.replace(/^\/v1\//, ""))).blob());
  } catch { none(); }
}
function make(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}
function frame(it, alt = "") {
  const made = make("div", { className: "frame" }, make("img", { alt, loading: "lazy" }), make("span", { className: "blank", hidden: true }));
  picture(made, it);
  return made;
}
function percent(share) { return `${Math.round(100 * share)} %`; }
function bar(share, label) {
  const made = make("meter", { value: Math.max(0, Math.min(1, share)), max: 1 }, percent(share));
  made.setAttribute("aria-label", label);
  return made;
}
async function reasons(box, why) {
  if (!why) return;
  const rows = await Promise.all(why.history.slice(0, 2).map(async r => [r, await item(r.item_id)]));
  if (rows.length) {
    const list = make("ul");
    for (const [r, it] of rows) list.append(make("li", { title: title(it) }, frame(it), bar(r.share, `Because of ${title(it)}`), make("b", { textContent: percent(r.share) })));
    box.append(make("h4", { textContent: "because of" }), list);
  }
  if (why.views.length) {
    const list = make("ul");
    for (const v of [...why.views].sort((a, b) => b.share - a.share).slice(0, 4)) {
      const name = v.view === "image" ? "picture" : v.view;
      list.append(make("li", { className: "view" }, make("span", { className: "name", textContent: name }), bar(v.share, `Share of ${name}`), make("b", { textContent: percent(v.share) })));
    }
    box.append(make("h4", { textContent: "what of it" }), list);
  }
}
async function card(row, list) {
  const made = $("card").content.firstElementChild.cloneNode(true);
  made.dataset.item = row.item_id;
  list.append(made);
  const it = await item(row.item_id), name = title(it);
  picture(made.querySelector(".frame"), it);
  made.querySelector(".rank").textContent = list.classList.contains("small") ? "" : row.rank;
  made.querySelector("h3").textContent = name;
  const facts = Object.entries(it.fields).filter(([n, v]) => v != null && !NAMES.includes(n.toLowerCase()));
  made.querySelector(".facts").textContent = facts.map(([, v]) => shown(v)).filter(v => v.length < 40).slice(0, 3).join(" · ");
  const button = made.querySelector(".add");
  button.onclick = () => toggle(row.item_id);
  mark(button, row.item_id, name);
  await reasons(made.querySelector(".why"), row.reasons);
}
function mark(button, id, name) {
  const has = state.history.includes(id);
  button.textContent = has ? "Taken" : "Take it";
  button.dataset.name = name;
  button.setAttribute("aria-pressed", has);
  button.setAttribute("aria-label", `${has ? "Taken" : "Take it"}: ${name}`);
}
function toggle(id) {
  state.user = $("user").value = "";
  state.history = state.history.includes(id) ? state.history.filter(h => h !== id) : [...state.history, id];
  for (const one of document.querySelectorAll("[data-item] .add")) mark(one, one.closest("[data-item]").dataset.item, one.dataset.name || "");
  showHistory();
  recommend();
}
async function showHistory() {
  const ids = state.history, items = await Promise.all(ids.map(item));
  if (ids !== state.history) return;
  $("history").replaceChildren(...items.map(it => {
    const button = make("button", { type: "button", title: title(it) }, frame(it));
    button.setAttribute("aria-label", `Remove from the history: ${title(it)}`);
    button.onclick = () => { const next = button.closest("li").nextElementSibling; toggle(it.item_id); (next?.querySelector("button") || $("words")).focus(); };
    return make("li", {}, button);
  }));
  $("history-empty").hidden = ids.length > 0;
  $("clear").hidden = ids.length === 0 && !state.user;
}
function filter() { return Object.keys(state.where).length ? state.where : null; }
async function answered(run) {
  const explain = $("views").checked ? true : "history";
  if (state.user) {
    return get(`users/${code(state.user)}/recommendations?k=${K}&explain=${explain}${filtered()}`, run);
  }
  const body = { history: state.history, k: K, explain: state.history.length ? explain : false };
  if (filter()) body.where = filter();
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return (await ask("recommendations", options, run)).json();
}
async function unexplained(run, error) { // a model that cannot say why still recommends
  if (!/explain/.test(error.message)) throw error;
  const path = state.user ? `users/${code(state.user)}/recommendations?k=${K}${filtered()}` : null;
  if (path) return get(path, run);
  throw error;
}
function unanswered(run, error) { // where there are two models, one that cannot answer leaves the other's answer
  if (state.runs.length === 1) throw error;
  return { model: run ? "The second run" : "The first run", items: [], error: error.message };
}
async function recommend() {
  const mine = ++asked;
  say("Asking …");
  $("for").textContent = state.user ? `for user ${state.user}` : state.history.length ? `for somebody who took ${state.history.length === 1 ? "one item" : `${state.history.length} items`}` : "for somebody of whom nothing is known: what most people took";
  try {
    const answers = await Promise.all(state.runs.map(run => answered(run).catch(error => unexplained(run, error)).catch(error => unanswered(run, error))));
    if (mine !== asked) return;
    if (answers.every(answer => answer.error)) throw new Error(answers[0].error);
    const columns = answers.map(answer => {
      const list = make("ul", { className: "grid" });
      list.setAttribute("aria-label", `Recommended by ${answer.model}`);
      const column = make("div");
      if (answers.length > 1) column.append(make("h3", { textContent: answer.model }));
      if (answer.error) column.append(make("p", { className: "said bad", textContent: answer.error }));
      column.append(list);
      return [column, list, answer.items];
    });
    $("columns").replaceChildren(...columns.map(([column]) => column));
    $("columns").classList.toggle("two", columns.length > 1);
    await Promise.all(columns.flatMap(([, list, items]) => items.map(row => card(row, list))));
    const most = Math.max(...answers.map(answer => answer.items.length));
    if (mine === asked) say(most ? `${most} items recommended.` : "Nothing is left to recommend: fewer filters?");
  } catch (error) { if (mine === asked) say(error.message, true); }
}
async function find(answer) {
  const mine = ++sought;
  try {
    const { items } = await answer;
    if (mine !== sought) return;
    $("found").replaceChildren();
    say(items.length ? `${items.length} items found.` : "Nothing found.");
    await Promise.all(items.map(row => card(row, $("found"))));
  } catch (error) { if (mine === sought) say(error.message, true); }
}
function filtered() { return filter() ? `&where=${code(JSON.stringify(filter()))}` : ""; }
function search() {
  if ($("words").value.trim()) find(get(`search?k=8&q=${code($("words").value.trim())}${filtered()}`));
}
function searchPicture() {
  const file = $("picture").files[0];
  if (file) find(ask(`search?k=8${filtered()}`, { method: "POST", headers: { "Content-Type": file.type || "image/jpeg" }, body: file }).then(a => a.json()));
}
async function chooseField() {
  if (!$("field").value) return;
  try {
    const told = await get(`fields/${code($("field").value)}?k=100`);
    state.numbers = told.numbers;
    $("by-range").hidden = !told.numbers;
    $("by-value").hidden = told.numbers;
    $("values").replaceChildren(...told.values.map(v => make("option", { value: v.value, label: `${v.items} items` })));
  } catch (error) { say(error.message, true); }
}
function addFilter(event) {
  event.preventDefault();
  const field = $("field").value;
  if (state.numbers) {
    const range = {};
    if ($("least").value) range.ge = Number($("least").value);
    if ($("most").value) range.le = Number($("most").value);
    if (Object.keys(range).length) state.where[field] = range;
  } else if ($("value").value) {
    state.where[field] = [...new Set([...(Array.isArray(state.where[field]) ? state.where[field] : []), $("value").value])];
  }
  $("value").value = $("least").value = $("most").value = "";
  showFilters();
}
function showFilters() {
  $("filters").replaceChildren(...Object.entries(state.where).map(([field, is]) => {
    const told = Array.isArray(is) ? `${field}: ${is.join(" or ")}` : `${field}: ${is.ge != null ? `from ${is.ge}` : ""} ${is.le != null ? `to ${is.le}` : ""}`;
    const button = make("button", { type: "button", textContent: told });
    button.setAttribute("aria-label", `Remove the filter ${told}`);
    button.onclick = () => { delete state.where[field]; showFilters(); $("field").focus(); };
    return make("li", {}, button);
  }));
  recommend();
}
let typed;
async function suggestUsers() {
  const told = await get(`users?k=20&q=${code($("user").value)}`).catch(() => ({ users: [] }));
  $("users").replaceChildren(...told.users.map(value => make("option", { value })));
}
async function start() {
  try {
    const model = await get("model");
    $("key-form").hidden = true;
    $("about").textContent = `${model.model} · ${model.dataset.name} · ${model.items} items · ${model.users} users`;
    const other = await fetch("other/v1/ready").catch(() => null);
    state.runs = other && other.ok ? ["", "other/"] : [""];
    $("field").replaceChildren(...model.fields.map(value => make("option", { value, textContent: value })));
    $("filter-form").closest("section").hidden = !model.fields.length;
    await chooseField();
    await suggestUsers();
    await showHistory();
    await recommend();
  } catch (error) { say(error.message, true); }
}
$("user-form").onsubmit = event => { event.preventDefault(); state.history = []; state.user = $("user").value.trim(); showHistory(); recommend(); };
$("user").oninput = () => { clearTimeout(typed); typed = setTimeout(suggestUsers, 200); };
$("clear").onclick = () => { state.user = $("user").value = ""; state.history = []; showHistory(); recommend(); $("user").focus(); };
$("filter-form").onsubmit = addFilter;
$("field").onchange = chooseField;
$("find-form").onsubmit = event => { event.preventDefault(); search(); };
$("picture").onchange = searchPicture;
$("views").onchange = recommend;
$("key-form").onsubmit = event => { event.preventDefault(); key = $("key").value.trim(); sessionStorage.setItem("cliper-key", key); known.clear(); start(); };
start();
