"use strict";
// The page: endpoints, and for one its software and events. Everything comes from /api/v1; whatever an endpoint said is set as text, never as
// markup. One table component does all three lists: it takes in a list page by page, filters, sorts and shows 100 rows at a time.

const $ = (id) => document.getElementById(id);
const ROWS = 100;

function make(name, properties, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

// "2026-11-22T00:50:27Z" as people read it; all times here are UTC.
const time = (t) => (t ? t.replace("T", " ").replace("Z", "") : "unknown");
// A bound says so: it was then, or before.
const when = (t, precision) => (t && precision === "bound" ? "by " : "") + time(t);
const yes = (b) => (b === null ? "unknown" : b ? "yes" : "no");
const system = (e) => [e.product, e.version].filter(Boolean).join(" ") || "unknown";
const verdict = (e) => make("span", { className: `chip ${e.access || ""}` }, e.access || "not assessed");

// A line on an endpoint whose files are not as the reference tags say.
const files = (f) => (f && f.findings ? [["Files", `${f.findings} of ${f.differing} package${f.differing === 1 ? "" : "s"} not as the reference says`]] : []);

// ---- the API ---------------------------------------------------------------------------------------------------------------------

// The login is kept for this tab alone, until it is closed. It goes out by our own hand (credentials: "omit"), so that the browser neither asks
// in a window of its own nor remembers it.
let login = sessionStorage.getItem("login");

function keep(value) {
  login = value;
  if (login) sessionStorage.setItem("login", login);
  else sessionStorage.removeItem("login");
}

async function ask(path, signal) {
  // Not relative: an address that was opened with user:password@ in it cannot be fetched from.
  const answer = await fetch(location.origin + path, { signal, credentials: "omit", headers: login ? { Authorization: login } : {} });
  const document = await answer.json().catch(() => ({}));
  if (answer.ok) return document;
  throw Object.assign(new Error(document.detail || `The server answers ${answer.status}.`), { status: answer.status });
}

// Hands over the pages of a list, one after the other, to its end.
async function* pages(path, signal) {
  let cursor = null;
  do {
    const url = new URL(path, location.origin);
    url.searchParams.set("limit", 1000);
    if (cursor) url.searchParams.set("cursor", cursor);
    const page = await ask(url.pathname + url.search, signal);
    yield page.items;
    cursor = page.next;
  } while (cursor);
}

// ---- a table ---------------------------------------------------------------------------------------------------------------------

// columns: { title, value(item) to sort and filter by, show(item) text or node, number, wrap, first: "descending" }
class Table {
  constructor(place, title, filterLabel, columns, sorted) {
    Object.assign(this, { columns, sorted, items: [], shown: [], start: 0, loading: false });
    const id = place.id + "-filter";
    this.filter = make("input", { id, type: "search", autocomplete: "off", spellcheck: false });
    this.count = make("span", { className: "count" });
    this.count.setAttribute("role", "status");
    this.before = make("button", { type: "button", onclick: () => this.turn(-ROWS) }, "Previous");
    this.after = make("button", { type: "button", onclick: () => this.turn(ROWS) }, "Next");
    this.body = make("tbody");
    this.heads = columns.map((column, index) => {
      const th = make("th", { scope: "col", className: column.number ? "number" : "" },
        make("button", { type: "button", onclick: () => this.sort(index) }, column.title));
      return th;
    });
    this.filter.addEventListener("input", () => { this.start = 0; this.update(); });
    place.replaceChildren(
      make("div", { className: "tools" }, make("label", { htmlFor: id }, filterLabel), this.filter, this.count, this.before, this.after),
      make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: title },
        make("table", {}, make("caption", {}, title), make("thead", {}, make("tr", {}, ...this.heads)), this.body)));
  }

  // Takes in all of a list. Rows show as soon as the first page is there.
  async load(path, signal) {
    this.items = [];
    this.start = 0;
    this.loading = true;
    this.update();
    try {
      for await (const items of pages(path, signal)) {
        this.items.push(...items);
        this.update();
      }
    } finally {
      if (!signal.aborted) {
        this.loading = false;
        this.update();
      }
    }
  }

  sort(index) {
    const down = this.sorted.index === index ? !this.sorted.down : this.columns[index].first === "descending";
    this.sorted = { index, down };
    this.start = 0;
    this.update();
  }

  turn(rows) {
    this.start = Math.max(0, this.start + rows);
    this.draw();
  }

  update() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const { index, down } = this.sorted;
    const value = this.columns[index].value;
    const text = (item) => this.columns.map((column) => column.value(item) ?? "").join(" ").toLowerCase();
    this.shown = words.length ? this.items.filter((item) => { const t = text(item); return words.every((w) => t.includes(w)); }) : [...this.items];
    // Equals keep the API's order, or its reverse. Unknown sorts last, either way.
    if (down) this.shown.reverse();
    this.shown.sort((a, b) => {
      const x = value(a), y = value(b);
      if (x == null || y == null) return (x == null) - (y == null);
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    });
    this.draw();
  }

  draw() {
    const n = this.shown.length, end = Math.min(this.start + ROWS, n);
    const of = n === this.items.length ? `${n}` : `${n} of ${this.items.length}`;
    this.count.textContent = (n ? `${this.start + 1}–${end} of ${of}` : this.items.length ? `none of ${this.items.length}` : "none") + (this.loading ? ", loading …" : "");
    this.before.disabled = this.start === 0;
    this.after.disabled = end >= n;
    this.heads.forEach((th, i) => {
      if (i === this.sorted.index) th.setAttribute("aria-sort", this.sorted.down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    this.body.replaceChildren(...this.shown.slice(this.start, end).map((item) => make("tr", {}, ...this.columns.map((column) =>
      make("td", { className: (column.number ? "number " : "") + (column.wrap ? "wrap" : "") }, column.show ? column.show(item) : String(column.value(item) ?? "unknown"))))));
  }
}

const endpoints = new Table($("endpoints"), "Endpoints", "Filter", [
  { title: "Name", value: (e) => e.name, show: (e) => make("a", { href: `#/endpoint/${e.id}` }, e.name), wrap: true },
  { title: "System", value: system },
  { title: "Packages", value: (e) => e.installed, number: true, first: "descending" },
  { title: "Last seen (UTC)", value: (e) => e.last_seen, show: (e) => (e.connected ? "connected" : time(e.last_seen)), first: "descending" },
  { title: "Verdict", value: (e) => e.access, show: verdict },
  { title: "Reason", value: (e) => e.reason, show: (e) => e.reason || "", wrap: true },
], { index: 0, down: false });

const software = new Table($("software"), "Software", "Filter", [
  { title: "Identifier", value: (s) => s.software_id, wrap: true },
  { title: "Package", value: (s) => s.package },
  { title: "Version", value: (s) => s.version },
  { title: "Instances", value: (s) => s.count, number: true, first: "descending" },
  { title: "Since (UTC)", value: (s) => s.since, show: (s) => (s.installed === null ? "unknown: " : "") + when(s.since, s.precision), first: "descending" },
], { index: 0, down: false });

const events = new Table($("events"), "Events", "Filter", [
  { title: "EID", value: (e) => e.eid, number: true, first: "descending" },
  { title: "Time (UTC)", value: (e) => e.time, show: (e) => when(e.time, e.precision), first: "descending" },
  { title: "Action", value: (e) => e.action },
  { title: "Identifier", value: (e) => e.software_id, wrap: true },
  { title: "Package", value: (e) => e.name },
  { title: "Version", value: (e) => e.version },
  { title: "Learnt (UTC)", value: (e) => e.learnt, show: (e) => time(e.learnt), first: "descending" },
], { index: 1, down: true });

// ---- views: the address says what is shown: #/ or #/endpoint/ID or #/endpoint/ID?at=T -----------------------------------------------

let current = new AbortController();

async function showFleet(signal) {
  document.title = "Endpoints – Muster";
  $("fleet").hidden = false;
  $("nobody").hidden = true;
  $("assess").textContent = `muster assess ${location.hostname} --ca ca.crt --cert NAME.crt --key NAME.key`;
  $("fleet-title").focus();
  await endpoints.load("/api/v1/endpoints", signal);
  $("nobody").hidden = endpoints.items.length > 0;
  $("endpoints").hidden = endpoints.items.length === 0;
  const t = await ask("/api/v1/totals", signal);
  $("totals").textContent = `${t.endpoints} endpoints, ${t.software} software identifiers, ${t.sessions} assessments`;
}

async function showOne(id, at, signal) {
  const base = `/api/v1/endpoints/${encodeURIComponent(id)}`;
  const e = await ask(base, signal);
  document.title = `${e.name} – Muster`;
  $("one-title").textContent = e.name;
  const facts = [
    ["Verdict", verdict(e)], ["Result", e.result || "not assessed"], ["Reason", e.reason || "none given"], ["System", system(e)],
    ["Installed now", String(e.installed)], ...files(e.files), ["Last seen (UTC)", e.connected ? "connected" : time(e.last_seen)], ["Known since (UTC)", time(e.known_since)], ["First seen (UTC)", time(e.first_seen)],
    ["Last boot (UTC)", time(e.last_boot)], ["Forwards IP packets", yes(e.forwarding)], ["Default password", yes(e.default_password)],
    ["Address", e.address || "unknown"], ["Device ID", e.device_id || "unknown"],
  ];
  $("facts").replaceChildren(...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  $("software-title").textContent = at ? `Software at ${time(at)} UTC` : "Software now";
  $("at").value = at ? at.replace("Z", "") : "";
  $("one").hidden = false;
  if (!$("when").contains(document.activeElement)) $("one-title").focus();
  await Promise.all([
    software.load(`${base}/software${at ? `?at=${encodeURIComponent(at)}` : ""}`, signal),
    events.load(`${base}/events`, signal),
  ]);
}

// Shows one of the sections, or none.
function only(id) {
  for (const name of ["login", "fleet", "one"]) if (name !== id) $(name).hidden = true;
}

function say(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function askWho() {
  if (login) say("This user or password is wrong.");
  keep(null);
  $("login").hidden = false;
  $("leave").hidden = true;
  $("totals").textContent = "";
  document.title = "Log in – Muster";
  $("user").focus();
}

async function show() {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  const [path, query] = location.hash.slice(1).split("?");
  const one = /^\/endpoint\/([^/]+)$/.exec(path);
  say("");
  only(one ? "one" : "fleet");
  $("leave").hidden = !login;
  try {
    if (!login) askWho();
    else if (one) await showOne(decodeURIComponent(one[1]), new URLSearchParams(query).get("at"), signal);
    else await showFleet(signal);
  } catch (error) {
    if (signal.aborted) return;
    only("");
    if (error.status === 401) askWho();
    else say(error.message);
  }
}

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const octets = new TextEncoder().encode(`${$("user").value}:${$("password").value}`);
  keep("Basic " + btoa(String.fromCharCode(...octets)));
  $("password").value = "";
  show();
});
$("leave").addEventListener("click", () => { keep(null); show(); });

// The field gives 2026-03-29T12:00 or 2026-03-29T12:00:30; the API wants seconds and a zone.
function go(at) {
  const path = location.hash.split("?")[0];
  location.hash = at ? `${path}?at=${at.length === 16 ? at + ":00" : at.slice(0, 19)}Z` : path;
}

$("when").addEventListener("submit", (event) => { event.preventDefault(); go($("at").value); });
$("now").addEventListener("click", () => go(""));
// The skip link must not change the address: that says what is shown.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
addEventListener("hashchange", show);
show();
