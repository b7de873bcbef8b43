import {
  freezeRealm,
  hideGlobals,
  makeTools,
  runScript,
  type ScriptBody,
  takeClockAway,
  takeCompilersAway,
  takeLocaleAway,
} from "./furnish.ts";

/** Evaluates a text in a context of its own that has nothing but the language; `file` is its name in stack traces. */
export type Evaluate = (text: string, file: string) => unknown;

/** Where the code of one rule file runs: without clock, randomness, timers, input and output. */
export interface Realm {
  /**
   * Runs a compiled rule file, a CommonJS script, and gives what it exports by default.
   *
   * Line numbers of stack traces are those of `text`. It throws what the script throws.
   */
  load(text: string, file: string): unknown;
}

/** What stays of the language. */
const allowed = (
  "Object Array Number parseFloat parseInt Boolean String Symbol Date RegExp Error AggregateError EvalError RangeError " +
  "ReferenceError SyntaxError TypeError URIError JSON Math ArrayBuffer Uint8Array Int8Array Uint16Array Int16Array " +
  "Uint32Array Int32Array Float32Array Float64Array Uint8ClampedArray BigUint64Array BigInt64Array DataView Map BigInt " +
  "Set WeakMap WeakSet Proxy Reflect decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape isFinite " +
  "isNaN Function Infinity NaN undefined globalThis"
).split(" ");

const functionKinds =
  "[() => undefined, async () => undefined, function* () {}, async function* () {}]";

/** Those that may be called like a parameter. */
const parameters = allowed.filter(
  (name) => !["Infinity", "NaN", "undefined", "globalThis"].includes(name),
);

/** What the context lacks anyway, so that its use is told by name. */
const absent = (
  "process require module exports __filename __dirname Buffer global performance setTimeout setInterval setImmediate " +
  "clearTimeout clearInterval clearImmediate queueMicrotask structuredClone fetch WebSocket EventSource XMLHttpRequest " +
  "crypto navigator localStorage"
).split(" ");

const clock = "use now, which is log time";
const timers = "use timer.after";
const advice: Readonly<Record<string, string>> = {
  "Date()": clock,
  "new Date()": clock,
  "Date.now()": clock,
  performance: clock,
  setTimeout: timers,
  setInterval: timers,
  setImmediate: timers,
  queueMicrotask: timers,
  Promise: "a rule decides at once",
  console: "use why",
  fetch: "ask a node or a service to do it",
  require: "import @halon/rules and files beside the rule file",
};

/** Makes the context a realm of rule files; `library` is what `@halon/rules` is to them. */
export function openRealm(evaluate: Evaluate, library: unknown): Realm {
  const inside = <F>(work: F): F => evaluate(`(${String(work)})`, "realm") as F;
  const kinds = evaluate(functionKinds, "realm") as readonly (() => unknown)[];
  const tools = inside(makeTools)(advice);
  inside(takeClockAway)(tools);
  inside(takeCompilersAway)(tools, kinds);
  inside(takeLocaleAway)(tools);
  inside(hideGlobals)(tools, allowed, absent);
  inside(freezeRealm)(allowed, kinds);
  const run = inside(runScript);
  // Globals of such a context are slow to look up, parameters are not. It is one line, so that lines keep their numbers.
  const head = `(function (${parameters.join(", ")}) { "use strict"; return function (exports, require, module) { `;
  return {
    load(text, file) {
      const script = evaluate(`${head}${text}\n}; })`, file) as (
        ...globals: readonly unknown[]
      ) => ScriptBody;
      return run(script, parameters, { "@halon/rules": library });
    },
  };
}
