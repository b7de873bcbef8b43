import { createContext, runInContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { type Evaluate, openRealm, type Realm } from "./index.ts";

const library = { plus: (a: number, b: number) => a + b };

function realm(): Realm {
  const context = createContext({}, { codeGeneration: { strings: false, wasm: false } });
  const evaluate: Evaluate = (text, file) => runInContext(text, context, { filename: file });
  return openRealm(evaluate, library);
}

/** What a function in the third line of a rule file gives. */
function run(body: string, ...given: readonly unknown[]): unknown {
  const text = `module.exports.default =\n(...given) => {\n${body}\n};`;
  const ask = realm().load(text, "mine.js") as (...given: readonly unknown[]) => unknown;
  return ask(...given);
}

const forbidden = {
  "Date.now()": "Date.now()",
  "new Date()": "new Date()",
  "Date()": "Date()",
  "Date.prototype.getHours()": "new Date(0).getHours()",
  "Date.prototype.toString()": "String(new Date(0))",
  "Math.random()": "Math.random()",
  "Function()": "new Function('return 1')",
  "eval()": "eval('1')",
  "localeCompare()": "'a'.localeCompare('b')",
  performance: "performance.now()",
  setTimeout: "setTimeout(() => 1, 1)",
  setInterval: "setInterval(() => 1, 1)",
  setImmediate: "setImmediate(() => 1)",
  queueMicrotask: "queueMicrotask(() => 1)",
  process: "process.exit(1)",
  fetch: "fetch('http://localhost')",
  console: "console.log(1)",
  crypto: "crypto.randomUUID()",
  Buffer: "Buffer.from('')",
  Promise: "Promise.resolve(1)",
  WebAssembly: "new WebAssembly.Module()",
  SharedArrayBuffer: "new SharedArrayBuffer(1)",
  Atomics: "Atomics.wait(new Int32Array(1), 0, 0)",
  Intl: "new Intl.DateTimeFormat()",
  WeakRef: "new WeakRef({})",
  FinalizationRegistry: "new FinalizationRegistry(() => 1)",
};

describe("in the realm of rule files", () => {
  test.each(Object.entries(forbidden))(
    "%s fails by name, in the line that uses it",
    (name, use) => {
      const error = thrown(() => run(`return ${use};`)) as Error;
      expect(error.message).toContain(`${name} is not there for rule files`);
      expect(error.stack).toMatch(/mine\.js:3:/);
    },
  );

  test.each([
    "(() => 1).constructor('return 1')()",
    "(async () => 1).constructor('return 1')()",
    "(function* () {}).constructor('return 1')()",
    "Reflect.getPrototypeOf(async function* () {}).constructor('return 1')()",
    "globalThis['ev' + 'al']('1')",
    "[].filter.constructor('return 1')()",
  ])("%s makes no code of a text", (use) => {
    expect(() => run(`return ${use};`)).toThrow("is not there for rule files");
  });

  test("other packages than @halon/rules are not there", () => {
    expect(run("return require('@halon/rules').plus(1, 2);")).toBe(3);
    expect(() => run("return require('node:fs');")).toThrow("node:fs is not there");
  });

  test.each([
    "Array.prototype.map = () => 1;",
    "Object.prototype.polluted = 1;",
    "({}).__proto__.toString = () => 'x';",
    "Math.max = () => 1;",
    "Date.now = () => 1;",
    "Error.prepareStackTrace = () => 1;",
    "Object.getPrototypeOf(function* () {}()).next = () => 1;",
    "Map.prototype[Symbol.iterator] = () => 1;",
  ])("%s fails: what is left of the language is frozen", (change) => {
    expect(() => run(change)).toThrow(
      /is not there|cannot|not extensible|read only|is not writable/i,
    );
  });

  test("a member may be called as one of all objects, and an error have a name of its own", () => {
    const body = `class Mine extends Error { constructor(text) { super(text); this.name = "Mine"; } }
      const own = {}; own.toString = () => "own"; own.constructor = 1;
      return [String(own), new Mine("no").name, new Mine("no") instanceof Error];`;
    expect(Array.from(run(body) as [])).toEqual(["own", "Mine", true]);
  });

  test("dates of given times, and all that gives the same everywhere, are there", () => {
    const body =
      "return [new Date(0).toISOString(), Math.max(1, 2), [3, 1].sort(), JSON.stringify({ a: 1 }), new Map([[1, 2]]).get(1)];";
    expect(JSON.stringify(run(body))).toBe('["1970-01-01T00:00:00.000Z",2,[1,3],"{\\"a\\":1}",2]');
  });

  test("a payload with __proto__ changes no other object", () => {
    const payload: unknown = JSON.parse('{ "__proto__": { "polluted": true }, "a": 1 }');
    const body = `const copy = {}; const [payload] = given;
      for (const key of Object.keys(payload)) copy[key] = payload[key];
      Object.assign({}, payload);
      return [({}).polluted, copy.a].map(String).join();`;
    expect(run(body, payload)).toBe("undefined,1");
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("two realms have nothing in common", () => {
    const text = "module.exports.default = Array;";
    expect(realm().load(text, "a.js")).not.toBe(realm().load(text, "b.js"));
  });
});

function thrown(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
