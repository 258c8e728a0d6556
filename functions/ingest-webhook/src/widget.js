// The chat widget. A page embeds it with
//   <script src="https://desk.example/v1/channels/web_chat/INBOX/widget.js" async></script>
// and may say on that element: data-title, data-greeting, data-color, data-side="left", data-locale, data-text-… (the keys
// of TEXTS, as data-text-send), data-nonce, and who is signed in: data-external-id, data-user-hash, data-email, data-name.
// Scripts of the page use window.ThroughlineChat: open(), close(), identify({external_id, user_hash, email, name}), and
// identify(null) when somebody signs out. It is there once "throughline-chat-ready" was dispatched on the window.
(() => {
  "use strict";
  const script = document.currentScript;
  if (window.ThroughlineChat || !script) return;

  // --- pure parts: tests/widget.test.mjs runs these lines by themselves ---

  const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE;
  const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

  // The address of the inbox: that of the script without its name, or what the page names.
  function addressOf(src, inbox) {
    const url = new URL(src);
    const path = url.pathname.match(/^(.*\/v1\/channels\/web_chat\/[^/]+)\/widget\.js$/)?.[1];
    return url.origin + (path ?? `/v1/channels/web_chat/${encodeURIComponent(inbox || "chat")}`);
  }

  // When to ask for messages again, in milliseconds; nothing: not before something happens. Both are spans: since
  // something last happened, and since the page was last seen (0: it is).
  function pollDelay(idle, hidden, open) {
    if (hidden) return hidden > 30 * MINUTE ? null : clamp(idle / 4, 15 * SECOND, 5 * MINUTE);
    return open ? clamp(idle / 10, 2 * SECOND, 15 * SECOND) : clamp(idle / 10, 5 * SECOND, 5 * MINUTE);
  }

  // How long to wait before trying again: 1, 2, 4 … seconds and up to as much again by chance, so that a crowd does not
  // come back at once; never sooner than the server says.
  function retryDelay(attempt, retryAfter, chance) {
    const base = Math.min(SECOND * 2 ** attempt, 30 * SECOND);
    return Math.max(base * (1 + chance), retryAfter);
  }

  // A Retry-After header in milliseconds: seconds or a date (RFC 9110, section 10.2.3).
  function retryAfterOf(header, now) {
    if (!header) return 0;
    const span = /^\d+$/.test(header.trim()) ? Number(header) * SECOND : Date.parse(header) - now;
    return clamp(span || 0, 0, 10 * MINUTE);
  }

  // Whether the same request may go better later. 0 is no answer at all.
  const passes = (status) => status === 0 || status === 408 || status === 429 || status >= 500;

  // A text in pieces; those that are addresses of web pages have a url. Signs at the end belong to the sentence.
  function pieces(text) {
    const found = [];
    let from = 0;
    for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"'`\u0000-\u001f]+/gi)) {
      let address = match[0].replace(/[.,;:!?\]}*]+$/, "");
      if (address.endsWith(")") && !address.includes("(")) address = address.replace(/[).,;:!?]+$/, "");
      let url = null;
      try { url = new URL(address); } catch { /* a text like any other */ }
      if (!url || !/^https?:$/.test(url.protocol)) continue;
      if (match.index > from) found.push({ text: text.slice(from, match.index) });
      found.push({ text: address, url: url.href });
      from = match.index + address.length;
    }
    if (from < text.length) found.push({ text: text.slice(from) });
    return found;
  }

  const fileText = ({ filename }) => `📎 ${filename}`;

  // Puts what the server has seen into the lines: what is shown already is found by its id, and becomes the server's.
  function merge(lines, items) {
    for (const item of items) {
      const key = item.client_message_id ?? item.event_id;
      let line = lines.find((known) => known.key === key || known.event === item.event_id);
      if (!line) lines.push(line = { key });
      const kind = key.startsWith("handoff:") ? "handoff" : "text";
      const text = [item.text, ...(item.files ?? []).map(fileText)].filter(Boolean).join("\n");
      Object.assign(line, { kind, event: item.event_id, text, at: item.at, own: item.direction === "inbound", state: "recorded" });
    }
    // Sorting is stable: what has no time yet stays last, in the order of writing.
    lines.sort((a, b) => (!a.at - !b.at) || (a.at && b.at ? Date.parse(a.at) - Date.parse(b.at) : 0));
  }

  // --- end of the pure parts ---

  const TEXTS = {
    open: "Open chat", close: "Close chat", log: "Messages", message: "Your message", placeholder: "Write a message",
    send: "Send", you: "You", they: "Support", person: "Talk to a person", asked: "You asked for a person.",
    rate: "Rate this chat", rating: "How was our help?", bad: "bad", good: "very good", comment: "Anything to add? (optional)",
    submit: "Send rating", later: "Not now", rated: "Thank you. You rated this chat:", waiting: "Sending…",
    failed: "Not sent.", again: "Try again", unread: "new messages", down: "No connection. Trying again…", link: "opens in a new tab",
    file: "Send a file", refused: "This file could not be sent:",
  };
  const data = script.dataset;
  const say = (key) => data[`text${key[0].toUpperCase()}${key.slice(1)}`] ?? TEXTS[key];
  const TITLE = data.title ?? "Chat with us";
  const GREETING = data.greeting ?? "Hello! How can we help?";
  const LOCALE = data.locale || document.documentElement.lang || navigator.language;
  const NONCE = data.nonce || script.nonce;
  const API = addressOf(script.src, data.inbox);
  const KEY = `throughline-chat:${API}`;
  const ATTEMPTS_MAX = 9, TIMEOUT = 20 * SECOND, RENEW_BEFORE = HOUR, TEXT_MAX = 5000;
  const newId = () => crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  // --- what is kept: the session for all pages of the site, what is not sent yet for this tab ---

  function storage(which) {
    const memory = {};
    return {
      get() { try { return JSON.parse(window[which].getItem(KEY)) ?? {}; } catch { return { ...memory }; } },
      set(value) {
        Object.assign(memory, value);
        try { window[which].setItem(KEY, JSON.stringify(value)); } catch { /* blocked or full: this page has it */ }
      },
    };
  }
  const kept = storage("localStorage"), keptOutbox = storage("sessionStorage");
  const EMPTY = { token: null, session: null, expires: 0, account: null, who: "", seen: "", rated: "" };
  let held = load();
  function load() {
    const stored = { ...EMPTY, ...kept.get() };
    return stored.expires > Date.now() ? stored : { ...EMPTY };
  }
  function keep(change) {
    Object.assign(held, change);
    kept.set(held);
  }

  // The messages: {key, kind: text|handoff|csat, text, own, at, state: waiting|sent|failed|recorded, body, node}.
  let lines = [], cursor = null, isLive = true, known = false;
  const isUnsent = (line) => line.state === "waiting" || line.state === "failed";
  function keepOutbox() {
    const unsent = lines.filter(isUnsent).map(({ key, kind, text, body }) => ({ key, kind, text, body }));
    keptOutbox.set({ session: held.session, unsent });
  }
  function loadOutbox() {
    const { session = null, unsent = [] } = keptOutbox.get();
    if (session === held.session) lines = unsent.map((line) => ({ ...line, own: true, state: "waiting" }));
  }

  // Somebody else is there, or nobody: nothing of who was there stays.
  function wipe() {
    held = { ...EMPTY };
    kept.set(held);
    clear();
  }
  function clear(butUnsent) {
    lines = butUnsent ? lines.filter(isUnsent) : [];
    cursor = null; isLive = true; known = false;
    keepOutbox();
  }

  // --- requests ---

  // Gives {status, body, retryAfter}; no answer is status 0.
  async function ask(method, path, body, token) {
    const abort = new AbortController(), timer = setTimeout(() => abort.abort(), TIMEOUT);
    try {
      const headers = { ...(body ? { "content-type": "application/json" } : {}), ...(token ? { authorization: `Bearer ${token}` } : {}) };
      const response = await fetch(API + path, {
        method, headers, body: body && JSON.stringify(body), credentials: "omit", cache: "no-store", signal: abort.signal,
      });
      const retryAfter = retryAfterOf(response.headers.get("retry-after"), Date.now());
      return { status: response.status, retryAfter, body: await response.json().catch(() => ({})) };
    } catch {
      return { status: 0, retryAfter: 0, body: {} };
    } finally {
      clearTimeout(timer);
    }
  }

  // --- the session: opened when it is needed, renewed before it ends ---

  let identity = null, opening = null, halted = false;
  const whoIs = (person) => JSON.stringify([person?.external_id, person?.email, person?.name].map((value) => value ?? null));
  // A session of somebody signed in goes on only while the page says who that is.
  const canRenew = () => !held.account || held.account === identity?.external_id;
  const lasts = (span) => held.token !== null && held.expires - Date.now() > span;
  const needsOpening = () => !lasts(canRenew() ? RENEW_BEFORE : 0);

  async function openSession() {
    const person = identity;
    const open = (visitor, token) => ask("POST", "/sessions", {
      visitor: { ...visitor, locale: LOCALE }, page: { url: location.origin + location.pathname, referrer: "" },
    }, token);
    let answer = await open(person, held.token);
    if (answer.status === 401 && held.token) answer = await open(person, null);
    let refused = null;
    if (person && (answer.status === 401 || answer.status === 422)) {
      // The page names its visitor wrongly. They may chat all the same, as nobody in particular.
      refused = answer.body.detail || "the visitor is not accepted";
      console.warn("ThroughlineChat:", refused, answer.body.errors ?? "");
      if (identity === person) identity = null;
      answer = await open(null, held.account ? null : held.token);
    }
    if (answer.status === 201) adopt(answer.body, refused ? null : person);
    return { ...answer, refused };
  }
  function adopt(opened, person) {
    const account = person?.external_id ?? null;
    if (held.account && held.account !== account) clear(true);
    if (held.session !== opened.session_id) { cursor = null; known = false; }
    // A clock that is wrong must not make every session look over.
    const expires = Math.max(Date.parse(opened.expires_at) || 0, Date.now() + 2 * RENEW_BEFORE);
    keep({ token: opened.token, session: opened.session_id, expires, account, who: whoIs(person) });
    keepOutbox();
  }
  // One call at a time: the second one finds what the first one opened.
  function reopen() {
    const next = (opening ?? Promise.resolve()).then(openSession).finally(() => { if (opening === next) opening = null; });
    return opening = next;
  }
  function drop(token) {
    if (held.token === token) keep({ token: null, expires: 0 });
  }

  // A request of the session; a new one is opened once if the old one is over.
  async function call(method, path, body) {
    for (let last = false; ; last = true) {
      if (needsOpening()) {
        const opened = await (opening ?? reopen());
        if (!lasts(0)) return opened;
      }
      const token = held.token, answer = await ask(method, path, body, token);
      if (answer.status !== 401 || last) return answer;
      drop(token);
    }
  }

  async function identify(person) {
    identity = person ? { ...person } : null;
    if (!person || (held.account && held.account !== person.external_id)) { wipe(); draw(); }
    if (!person || !held.token || held.who === whoIs(person)) return;
    const { refused } = await reopen();
    draw();
    poke();
    if (refused) throw new Error(refused);
  }

  // --- sending: in order, each under its own id until it is known to have arrived ---

  let sending = false, notice = "";
  function post(kind, text, body) {
    const key = kind === "text" ? newId() : `${kind}:${newId()}`;
    lines.push({ key, kind, text, own: true, state: "waiting", body: { client_message_id: key, ...body } });
    notice = "";
    keepOutbox();
    draw();
    flush();
  }
  // A file goes into the store by a form that is signed for it; then a message names it.
  async function upload(file) {
    const named = { filename: file.name, content_type: file.type, size: file.size };
    notice = `${say("waiting")} ${file.name}`;
    draw();
    const { status, body } = await call("POST", "/uploads", named), form = new FormData();
    let stored = status === 201;
    if (stored) {
      for (const field of Object.entries(body.fields)) form.append(...field);
      form.append("file", file);
      stored = await fetch(body.url, { method: "POST", body: form, credentials: "omit" }).then((put) => put.ok, () => false);
    }
    if (stored) post("text", fileText(named), { type: "message.create", attachments: [{ ...named, upload_id: body.upload_id }] });
    else { notice = `${say("refused")} ${file.name}`; draw(); }
    return stored;
  }
  async function onFiles() {
    for (const file of [...picker.files]) if (!await upload(file)) break;
    picker.value = "";
  }
  async function flush() {
    if (sending) return;
    sending = true;
    for (let line; (line = lines.find((one) => one.state === "waiting"));) await deliver(line);
    sending = false;
  }
  async function deliver(line) {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const { status, retryAfter } = await call("POST", "", line.body);
      if (!lines.includes(line) || line.state !== "waiting") return;
      if (status >= 200 && status < 300) { settle(line, "sent"); return poke(); }
      if (!passes(status)) break;
      await pause(retryDelay(attempt, retryAfter, Math.random()));
      if (!lines.includes(line) || line.state !== "waiting") return;
    }
    settle(line, "failed");
  }
  function sendAgain(line) {
    settle(line, "waiting");
    flush();
  }
  function settle(line, state) {
    line.state = state;
    keepOutbox();
    draw();
  }
  function pause(ms) {
    return new Promise((done) => {
      const timer = setTimeout(end, ms);
      function end() { clearTimeout(timer); window.removeEventListener("online", end); done(); }
      window.addEventListener("online", end);
    });
  }

  // --- asking for messages ---

  let timer, polling = false, failures = 0, lastActive = Date.now(), hiddenSince = document.hidden ? Date.now() : 0, isOpen = false;
  function poke() {
    lastActive = Date.now();
    schedule(failures ? undefined : 300);
  }
  function schedule(soon) {
    clearTimeout(timer);
    if (!held.token || halted) return;
    const now = Date.now(), delay = pollDelay(now - lastActive, hiddenSince && now - hiddenSince, isOpen);
    if (delay !== null) timer = setTimeout(poll, soon ?? delay);
  }
  async function poll() {
    if (polling) return;
    polling = true;
    const answer = await fetchNew();
    polling = false;
    failures = passes(answer.status) ? failures + 1 : 0;
    draw();
    if (failures) schedule(retryDelay(Math.min(failures, 6), answer.retryAfter, Math.random()));
    else schedule();
  }
  async function fetchNew() {
    // Nobody gets a session just for looking: the next message opens one.
    if (!lasts(0)) drop(held.token);
    else if (needsOpening()) await (opening ?? reopen());
    const { token, session } = held;
    if (!token) return { status: 401 };
    const answer = await ask("GET", `/messages${cursor ? `?after=${encodeURIComponent(cursor)}` : ""}`, null, token);
    if (held.session !== session) return { status: 200 };
    if (answer.status === 200) take(answer.body);
    else if (answer.status === 401) drop(token);
    else if (answer.status === 400) cursor = null;
    else if (!passes(answer.status)) { halted = true; console.warn("ThroughlineChat:", answer.status, answer.body.detail ?? ""); }
    return answer;
  }
  function take({ items, next, open }) {
    merge(lines, items);
    if (items.length) { lastActive = Date.now(); keepOutbox(); }
    cursor = next ?? cursor;
    isLive = open ?? true;
    known = true;
  }
  document.addEventListener("visibilitychange", () => {
    hiddenSince = document.hidden ? Date.now() : 0;
    if (!document.hidden) poke();
  });
  // Another page of the site opened, renewed or ended the session.
  window.addEventListener("storage", (event) => {
    if (event.key !== KEY && event.key !== null) return;
    const before = held.session;
    held = load();
    if (before && before !== held.session) clear(held.session !== null);
    draw();
    schedule();
  });

  // --- what is shown ---

  const STYLE = `
    :host { all: initial !important; position: fixed !important; z-index: 2147483000 !important; inset: auto 20px 20px auto !important; }
    :host([data-side=left]) { inset: auto auto 20px 20px !important; }
    :host([data-side=left]) .launcher { margin-left: 0; }
    .root { --accent: #1f6658; --on-accent: #fff; --ground: #fffefb; --sunk: #edebe5; --line: #c8c4b8; --ink: #20231f; --muted: #5f635b; --focus: #1f6658;
      color-scheme: light dark; color: var(--ink); font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
    @media (prefers-color-scheme: dark) {
      .root { --ground: #1c1f1d; --sunk: #2a2f2b; --line: #525953; --ink: #e7e9e4; --muted: #a9afa5; --focus: #79c9b4; }
    }
    * { box-sizing: border-box; margin: 0; }
    [hidden] { display: none !important; }
    button, textarea { font: inherit; color: inherit; }
    button { cursor: pointer; border: 1px solid var(--line); border-radius: 8px; background: var(--ground); padding: 5px 11px; }
    button:disabled { opacity: .55; cursor: default; }
    .main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
    .plain { border: 0; background: none; padding: 4px 8px; color: var(--muted); text-decoration: underline; }
    :focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
    .hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
    .launcher { position: relative; width: 56px; height: 56px; border-radius: 50%; padding: 0; display: block; margin-left: auto; box-shadow: 0 4px 16px rgb(0 0 0 / 28%); }
    .icon { display: block; width: 24px; height: 24px; margin: auto; background: currentColor; transform: scale(1.2);
      clip-path: path("M4 3h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2h-9l-6 5v-5h-1a2 2 0 0 1-2-2v-10a2 2 0 0 1 2-2z"); }
    .badge { position: absolute; top: -4px; inset-inline-end: -4px; min-width: 22px; border-radius: 11px; background: #a82a1d; color: #fff; font-size: 13px; line-height: 22px; padding: 0 5px; }
    .panel { width: min(372px, calc(100vw - 40px)); height: min(580px, calc(100dvh - 120px)); margin-bottom: 14px; display: flex; flex-direction: column;
      background: var(--ground); border: 1px solid var(--line); border-radius: 14px; overflow: hidden; box-shadow: 0 8px 34px rgb(0 0 0 / 24%); }
    header { display: flex; align-items: center; background: var(--accent); color: var(--on-accent); padding: 9px 8px 9px 15px; }
    h2 { flex: 1; font-size: 16px; overflow-wrap: anywhere; }
    header button { border: 0; background: none; font-size: 22px; line-height: 1; padding: 4px 9px; }
    header :focus-visible { outline-color: currentColor; outline-offset: -2px; }
    .log { flex: 1; min-height: 0; overflow-y: auto; padding: 14px; display: flex; flex-direction: column; gap: 8px; }
    .line { max-width: 84%; align-self: flex-start; background: var(--sunk); border-radius: 14px 14px 14px 4px; padding: 7px 12px; white-space: pre-wrap; overflow-wrap: anywhere; }
    .line.own { align-self: flex-end; background: var(--accent); color: var(--on-accent); border-radius: 14px 14px 4px 14px; }
    .line.note { align-self: center; background: none; color: var(--muted); font-size: 13px; text-align: center; }
    .line a { color: inherit; }
    .state { display: block; font-size: 12px; opacity: .85; }
    .state button { padding: 0 7px; background: none; border-color: currentColor; }
    .down { color: var(--muted); font-size: 13px; padding: 4px 14px; }
    .actions { display: flex; flex-wrap: wrap; padding: 0 8px; font-size: 13px; }
    form { border-top: 1px solid var(--line); padding: 10px 12px; display: flex; gap: 8px; align-items: flex-end; }
    textarea { flex: 1; min-width: 0; width: 100%; resize: none; border: 1px solid var(--line); border-radius: 8px; background: var(--ground); padding: 6px 9px; }
    form.rate { display: block; }
    fieldset { border: 0; padding: 0; margin-bottom: 6px; } legend { padding: 0; font-weight: 600; }
    .scores { display: flex; justify-content: space-between; padding: 6px 0; } .scores label { display: grid; justify-items: center; min-width: 40px; font-size: 13px; }
    input { accent-color: var(--accent); width: 18px; height: 18px; margin: 0; }
    .row { display: flex; gap: 8px; margin-top: 8px; }
    @media (max-width: 480px) {
      .panel { position: fixed; z-index: 1; inset: 0; width: auto; height: auto; margin: 0; border: 0; border-radius: 0; }
      textarea { font-size: 16px; }
    }
    @media (prefers-reduced-motion: no-preference) { .panel { animation: in .16s ease-out; } @keyframes in { from { opacity: 0; transform: translateY(10px); } } }
  `;
  // An element. Aria attributes and listeners are properties, too.
  function el(tag, props, ...children) {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  }
  const button = (className, onclick, ...inside) => el("button", { type: "button", className, onclick }, ...inside);

  const host = el("throughline-chat", { lang: data.locale || "en" });
  if (data.side) host.dataset.side = data.side;
  const shadow = host.attachShadow({ mode: "open" });
  const badge = el("span", { className: "badge", ariaHidden: "true" });
  const launcher = button("launcher main", () => (isOpen ? close() : open()), el("span", { className: "icon" }), badge);
  const greeting = el("p", { className: "line" }, GREETING);
  const log = el("div", { className: "log", tabIndex: 0, role: "log", ariaLive: "polite", ariaLabel: say("log") }, greeting);
  const down = el("p", { className: "down", role: "status" });
  const person = button("plain", askForPerson, say("person"));
  const rate = button("plain", () => showRating(true), say("rate"));
  const input = el("textarea", { rows: 2, maxLength: TEXT_MAX, placeholder: say("placeholder"), ariaLabel: say("message"), onkeydown: onKey });
  const picker = el("input", { type: "file", multiple: true, hidden: true, onchange: onFiles });
  const clip = button("", () => picker.click(), "📎");
  clip.ariaLabel = clip.title = say("file");
  const composer = el("form", { onsubmit: onSend }, picker, clip, input, el("button", { className: "main" }, say("send")));
  const comment = el("textarea", { rows: 2, maxLength: TEXT_MAX, placeholder: say("comment"), ariaLabel: say("comment") });
  const scores = [`1 ${say("bad")}`, "2", "3", "4", `5 ${say("good")}`].map((label, i) =>
    el("label", {}, el("input", { type: "radio", name: "score", value: String(i + 1), required: true }), label));
  const rating = el("form", { className: "rate", hidden: true, onsubmit: onRate },
    el("fieldset", {}, el("legend", {}, say("rating")), el("div", { className: "scores" }, ...scores)), comment,
    el("div", { className: "row" }, el("button", { className: "main" }, say("submit")), button("", () => showRating(false), say("later"))));
  const closer = button("", close, "×");
  closer.ariaLabel = say("close");
  const panel = el("section", { className: "panel", hidden: true, role: "dialog", ariaLabel: TITLE, onkeydown: (event) => event.key === "Escape" && close() },
    el("header", {}, el("h2", {}, TITLE), closer), log, down, rating, el("div", { className: "actions" }, person, rate), composer);
  const root = el("div", { className: "root" }, panel, launcher);
  if (data.color) root.style.setProperty("--accent", data.color);
  style();
  shadow.append(root);

  // A sheet made by a script is allowed by every content security policy; older browsers need the nonce.
  function style() {
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      shadow.adoptedStyleSheets = [sheet];
    } catch {
      shadow.append(el("style", { nonce: NONCE ?? "" }, STYLE));
    }
  }

  function draw() {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    const nodes = [greeting, ...lines.map(drawLine)];
    for (const node of [...log.children]) if (!nodes.includes(node)) node.remove();
    nodes.forEach((node, i) => { if (log.children[i] !== node) log.insertBefore(node, log.children[i] ?? null); });
    if (atEnd) log.scrollTop = log.scrollHeight;
    drawUnread();
    setText(down, notice || (failures > 1 || (navigator.onLine === false && lines.some(isUnsent)) ? say("down") : ""));
    const said = lines.filter((line) => line.kind !== "csat");
    person.hidden = said.at(-1)?.kind === "handoff" && isLive;
    rate.hidden = !said.some((line) => line.state === "recorded") || !rating.hidden || lines.at(-1)?.kind === "csat";
    if (isResolved(said) && held.rated !== said.at(-1).key && rating.hidden && isOpen) showRating(true, true);
  }
  // What was said is all on a ticket, and nothing of it is open.
  const isResolved = (said) => known && !isLive && said.length > 0 && said.every((line) => line.state === "recorded");
  function drawUnread() {
    const theirs = lines.filter((line) => !line.own && line.state === "recorded");
    const unread = isOpen ? 0 : theirs.filter((line) => line.at > held.seen).length;
    if (isOpen && theirs.length && theirs.at(-1).at > held.seen) keep({ seen: theirs.at(-1).at });
    badge.hidden = !unread;
    setText(badge, String(unread));
    const label = isOpen ? say("close") : unread ? `${say("open")}, ${unread} ${say("unread")}` : say("open");
    if (launcher.ariaLabel !== label) launcher.ariaLabel = label;
    launcher.ariaExpanded = String(isOpen);
  }
  // Only what changes is made anew, for it is read aloud.
  function drawLine(line) {
    const content = `${line.kind} ${line.text}`;
    if (line.content !== content) {
      const note = line.kind !== "text", who = el("span", { className: "hidden" }, `${say(line.own ? "you" : "they")}: `);
      line.node = el("div", { className: `line ${note ? "note" : line.own ? "own" : ""}` }, ...(note ? [] : [who]), ...contentOf(line));
      line.content = content;
      line.foot = line.footOf = null;
    }
    if (line.at) line.node.title = new Date(line.at).toLocaleString();
    if (line.footOf !== line.state) {
      line.foot?.remove();
      line.foot = el("span", { className: "state" }, ...footOf(line));
      if (line.foot.firstChild) line.node.append(line.foot);
      line.footOf = line.state;
    }
    return line.node;
  }
  function contentOf({ kind, text }) {
    if (kind === "handoff") return [say("asked")];
    return kind === "csat" ? [`${say("rated")} ${text}`] : pieces(text).map(drawPiece);
  }
  function footOf(line) {
    if (line.state === "waiting") return [say("waiting")];
    return line.state === "failed" ? [say("failed"), " ", button("", () => sendAgain(line), say("again"))] : [];
  }
  function drawPiece({ text, url }) {
    return url ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer", title: say("link") }, text) : text;
  }
  function setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function askForPerson() {
    post("handoff", "", { type: "handoff.request" });
    input.focus();
  }
  function showRating(shown, byItself) {
    rating.hidden = !shown;
    // It takes room from the messages: the last ones stay in sight.
    if (shown) log.scrollTop = log.scrollHeight;
    else {
      // Asked once for what was said up to here.
      const last = lines.filter((line) => line.kind !== "csat").at(-1);
      keep({ rated: last?.key ?? "" });
      rating.reset();
    }
    draw();
    // Who is writing goes on writing.
    if (!byItself) (shown ? rating.querySelector("input") : input).focus();
  }
  function onRate(event) {
    event.preventDefault();
    const score = Number(new FormData(rating).get("score")), words = comment.value.trim();
    showRating(false);
    post("csat", `${score}/5`, { type: "csat.submit", score, ...(words ? { comment: words } : {}) });
  }
  function onSend(event) {
    event.preventDefault();
    const text = input.value.trim();
    input.focus();
    if (!text) return;
    input.value = "";
    log.scrollTop = log.scrollHeight;
    post("text", text, { type: "message.create", text, sent_at: new Date().toISOString() });
  }
  function onKey(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) onSend(event);
  }
  function open() {
    if (!isOpen) {
      isOpen = true; panel.hidden = false;
      draw();
      log.scrollTop = log.scrollHeight;
      poke();
    }
    input.focus();
  }
  function close() {
    if (!isOpen) return;
    const inside = shadow.activeElement;
    isOpen = false; panel.hidden = true;
    draw();
    if (inside) launcher.focus();
  }

  // --- start ---

  if (data.externalId || data.email || data.name) {
    identity = { external_id: data.externalId, user_hash: data.userHash, email: data.email, name: data.name };
  }
  if (identity && held.account && held.account !== identity.external_id) wipe();
  loadOutbox();
  window.ThroughlineChat = Object.freeze({ open, close, identify });
  function start() {
    document.body.append(host);
    draw();
    if (identity) identify(identity).catch(() => {});
    poke();
    flush();
    window.dispatchEvent(new Event("throughline-chat-ready"));
  }
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
})();
