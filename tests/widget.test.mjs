// The pure parts of the chat widget, by themselves: `node --test tests/widget.test.mjs`. No packages are needed.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const source = readFileSync(new URL("../functions/ingest-webhook/src/widget.js", import.meta.url), "utf8");
const [, parts] = source.match(/\/\/ --- pure parts[^\n]*\n([^]*?)\n *\/\/ --- end of the pure parts/);
const names = ["addressOf", "pollDelay", "retryDelay", "retryAfterOf", "passes", "pieces", "merge"];
const widget = new Function(`"use strict";${parts}\nreturn { ${names} };`)();
const SECOND = 1000, MINUTE = 60 * SECOND;

test("the address of the inbox is the script's, or what the page names", () => {
  const own = "https://desk.example/v1/channels/web_chat/shop/widget.js?v=2";
  assert.equal(widget.addressOf(own, "other"), "https://desk.example/v1/channels/web_chat/shop");
  assert.equal(widget.addressOf("https://a.example/eu/v1/channels/web_chat/s/widget.js"), "https://a.example/eu/v1/channels/web_chat/s");
  assert.equal(widget.addressOf("http://127.0.0.1:8080/widget.js"), "http://127.0.0.1:8080/v1/channels/web_chat/chat");
  assert.equal(widget.addressOf("http://a.example/widget.js", "a/b"), "http://a.example/v1/channels/web_chat/a%2Fb");
});

test("polling is quick while something happens, slow otherwise, and ends out of sight", () => {
  assert.equal(widget.pollDelay(0, 0, true), 2 * SECOND);
  assert.equal(widget.pollDelay(MINUTE, 0, true), 6 * SECOND);
  assert.equal(widget.pollDelay(60 * MINUTE, 0, true), 15 * SECOND);
  assert.equal(widget.pollDelay(0, 0, false), 5 * SECOND);
  assert.equal(widget.pollDelay(60 * MINUTE, 0, false), 5 * MINUTE);
  assert.equal(widget.pollDelay(0, SECOND, true), 15 * SECOND);
  assert.equal(widget.pollDelay(60 * MINUTE, 20 * MINUTE, true), 5 * MINUTE);
  assert.equal(widget.pollDelay(60 * MINUTE, 31 * MINUTE, true), null);
});

test("tries come later each time, and not before the server says", () => {
  assert.deepEqual([0, 1, 2, 3, 9].map((attempt) => widget.retryDelay(attempt, 0, 0)), [1000, 2000, 4000, 8000, 30000]);
  assert.equal(widget.retryDelay(0, 0, 0.5), 1500);
  assert.equal(widget.retryDelay(0, MINUTE, 0.5), MINUTE);
});

test("Retry-After is seconds or a date, within reason", () => {
  const now = Date.parse("2026-11-20T12:00:00Z");
  assert.equal(widget.retryAfterOf("7", now), 7 * SECOND);
  assert.equal(widget.retryAfterOf("Fri, 20 Nov 2026 12:00:30 GMT", now), 30 * SECOND);
  for (const odd of [null, "", "soon", "-3", "Fri, 20 Nov 2020 12:00:30 GMT"]) assert.equal(widget.retryAfterOf(odd, now), 0);
  assert.equal(widget.retryAfterOf("999999", now), 10 * MINUTE);
});

test("only what may pass is tried again", () => {
  assert.deepEqual([0, 408, 429, 500, 503].map(widget.passes), Array(5).fill(true));
  assert.deepEqual([202, 400, 401, 403, 404, 413, 422].map(widget.passes), Array(7).fill(false));
});

test("only addresses of web pages become links, and no text is lost", () => {
  const links = (text) => {
    const found = widget.pieces(text);
    assert.equal(found.map((piece) => piece.text).join(""), text);
    return found.filter((piece) => piece.url).map((piece) => piece.url);
  };
  assert.deepEqual(links(""), []);
  assert.deepEqual(links("See https://a.example/x?y=1. Or (http://b.example/), or https://c.example/d_(e)!"),
    ["https://a.example/x?y=1", "http://b.example/", "https://c.example/d_(e)"]);
  assert.deepEqual(links("javascript:alert(1) data:text/html,x ftp://a.example xhttp://a.example http://"), []);
  assert.deepEqual(links('<a href="https://a.example/">"</a>'), ["https://a.example/"]);
  assert.deepEqual(links("HTTPS://A.example/B"), ["https://a.example/B"]);
});

test("what the server has seen takes the place of what is shown already", () => {
  const item = (event_id, second, direction, text, client_message_id) =>
    ({ event_id, at: `2026-11-20T12:00:0${second}.000Z`, direction, text, client_message_id });
  const waiting = (key, text) => ({ key, kind: "text", text, own: true, state: "waiting" });
  const lines = [waiting("a", "one"), waiting("b", "two")], [first] = lines;
  widget.merge(lines, [item("e2", 2, "outbound", "answer"), item("e1", 1, "inbound", "one", "a")]);
  assert.deepEqual(lines.map((line) => [line.text, line.state, line.own]),
    [["one", "recorded", true], ["answer", "recorded", false], ["two", "waiting", true]]);
  assert.equal(lines[0], first);
  // The same again changes nothing; a request for a person is no text.
  widget.merge(lines, [item("e2", 2, "outbound", "answer"), item("e3", 3, "inbound", "(asked for a person)", "handoff:x")]);
  assert.deepEqual(lines.map((line) => line.kind), ["text", "text", "handoff", "text"]);
  // Files are shown by their names, as they are while they are sent.
  widget.merge(lines, [{ ...item("e4", 4, "inbound", "", "f"), files: [{ filename: "a.png" }, { filename: "b.png" }] }]);
  assert.equal(lines.find((line) => line.key === "f").text, "📎 a.png\n📎 b.png");
});
