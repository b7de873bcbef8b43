import { expect, test } from "vitest";
import { refusalOf } from "./admit.ts";

const allowed = ["db-1.example"];

test.each([
  { name: "loopback by address", host: "127.0.0.1:8528", origin: undefined, ok: true },
  { name: "loopback of a forwarded port", host: "localhost:9000", origin: undefined, ok: true },
  { name: "IPv6 loopback", host: "[::1]:8528", origin: undefined, ok: true },
  { name: "the advertised host", host: "db-1.example:8528", origin: undefined, ok: true },
  { name: "its own page", host: "127.0.0.1:8528", origin: "http://127.0.0.1:8528", ok: true },
  { name: "no Host", host: undefined, origin: undefined, ok: false },
  { name: "a rebound name", host: "evil.example:8528", origin: undefined, ok: false },
  {
    name: "a name that starts like loopback",
    host: "127.0.0.1.evil.example",
    origin: undefined,
    ok: false,
  },
  { name: "a Host with user part", host: "127.0.0.1@evil.example", origin: undefined, ok: false },
  { name: "a Host with path", host: "127.0.0.1/x", origin: undefined, ok: false },
  { name: "a foreign Origin", host: "127.0.0.1:8528", origin: "http://evil.example", ok: false },
  {
    name: "a page on another port",
    host: "127.0.0.1:8528",
    origin: "http://127.0.0.1:3000",
    ok: false,
  },
  { name: "a sandboxed page", host: "127.0.0.1:8528", origin: "null", ok: false },
  { name: "an https page", host: "127.0.0.1:8528", origin: "https://127.0.0.1:8528", ok: false },
])("$name: allowed is $ok", ({ host, origin, ok }) => {
  expect(refusalOf({ host, origin }, allowed) === null).toBe(ok);
});
