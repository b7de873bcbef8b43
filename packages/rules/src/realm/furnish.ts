/**
 * Functions whose texts are evaluated inside a realm: they use nothing from outside but their arguments and each other's
 * results, so what they make belongs to that realm.
 */

type Bag = Record<PropertyKey, unknown>;

/** How the realm takes a thing away. */
export interface Tools {
  /** Throws an error that names what was used, and what to use instead. */
  fail(name: string): never;
  refusing(name: string): (...given: readonly unknown[]) => never;
  /** Makes each use of the member fail. */
  hide(owner: object, key: PropertyKey, name: string): void;
  /** Gives the member this value for ever. */
  replace(owner: object, key: PropertyKey, value: unknown): void;
}

/** A compiled rule file as a function: the form of a CommonJS module. */
export type ScriptBody = (
  exports: object,
  require: (name: string) => unknown,
  module: { exports: unknown },
) => void;

export function makeTools(advice: Readonly<Record<string, string>>): Tools {
  const fail = (name: string): never => {
    const instead = advice[name] ?? "what a rule does depends on its events alone";
    throw new Error(`${name} is not there for rule files; ${instead}`);
  };
  return {
    fail,
    refusing: (name) =>
      function () {
        return fail(new.target === undefined ? name : `new ${name}`);
      },
    hide(owner, key, name) {
      const get = (): never => fail(name);
      Object.defineProperty(owner, key, { get, set: get, configurable: true });
    },
    replace(owner, key, value) {
      const data = { value, writable: false, enumerable: false, configurable: true };
      Object.defineProperty(owner, key, data);
    },
  };
}

export function takeClockAway({ fail, refusing, replace }: Tools): void {
  const RealDate = Date;
  const prototype: object = RealDate.prototype;
  const GivenDate = function (...given: readonly unknown[]): unknown {
    if (new.target === undefined) return fail("Date()");
    return given.length === 0 ? fail("new Date()") : Reflect.construct(RealDate, given, new.target);
  };
  GivenDate.prototype = prototype;
  replace(GivenDate, "name", "Date");
  replace(GivenDate, "parse", RealDate.parse);
  replace(GivenDate, "UTC", RealDate.UTC);
  replace(GivenDate, "now", refusing("Date.now()"));
  replace(prototype, "constructor", GivenDate);
  // These read the time zone of the node.
  const isLocal = /^[gs]et(?!UTC|Time$)|^to(Locale|String$|DateString$|TimeString$)/;
  for (const name of Object.getOwnPropertyNames(prototype))
    if (isLocal.test(name)) replace(prototype, name, refusing(`Date.prototype.${name}()`));
  replace(globalThis, "Date", GivenDate);
  replace(Math, "random", refusing("Math.random()"));
}

/** `kinds`: a function of each kind, the plain one first. */
export function takeCompilersAway(
  { refusing, replace }: Tools,
  kinds: readonly (() => unknown)[],
): void {
  for (const kind of kinds) {
    const refuse = refusing("Function()");
    const prototype: object = Object.getPrototypeOf(kind);
    // Not `replace`: that of a function cannot be defined anew, and is frozen with it.
    Object.assign(refuse, { prototype });
    replace(prototype, "constructor", refuse);
    if (kind === kinds[0]) replace(globalThis, "Function", refuse);
  }
  replace(globalThis, "eval", refusing("eval()"));
}

/** The order and the form of texts depend on the language of the node. */
export function takeLocaleAway({ refusing, replace }: Tools): void {
  const owners = [String, Number, Array, BigInt, Object.getPrototypeOf(Uint8Array)];
  for (const { prototype } of owners as { readonly prototype: object }[])
    for (const name of Object.getOwnPropertyNames(prototype))
      if (/^toLocale|^localeCompare$/.test(name)) replace(prototype, name, refusing(`${name}()`));
}

/** Hides all globals that are not in `allowed`, and those of `absent`. */
export function hideGlobals(
  { hide }: Tools,
  allowed: readonly string[],
  absent: readonly string[],
): void {
  for (const name of [...Object.getOwnPropertyNames(globalThis), ...absent]) {
    if (name === "eval" || allowed.includes(name)) continue;
    // Flags of V8 add globals that stay, such as gc.
    if (Object.getOwnPropertyDescriptor(globalThis, name)?.configurable !== false)
      hide(globalThis, name, name);
  }
}

/** Freezes all that can be reached from these globals; an object may still have members called as those of its prototype. */
export function freezeRealm(allowed: readonly string[], kinds: readonly (() => unknown)[]): void {
  const realm = globalThis as unknown as Bag;
  const overridable = (prototype: object, key: PropertyKey): void => {
    const found = Object.getOwnPropertyDescriptor(prototype, key);
    if (found === undefined || !("value" in found) || found.configurable !== true) return;
    const value: unknown = found.value;
    const set = function (this: object, own: unknown): void {
      if (this === prototype)
        throw new TypeError(`${String(key)} of a built-in object cannot be changed`);
      const data = { value: own, writable: true, enumerable: true, configurable: true };
      Object.defineProperty(this, key, data);
    };
    Object.defineProperty(prototype, key, { get: () => value, set, configurable: false });
  };
  const errors = [Error, TypeError, RangeError, SyntaxError, ReferenceError];
  for (const { prototype } of [Object, Function, ...errors] as { readonly prototype: object }[])
    for (const key of Reflect.ownKeys(prototype)) overridable(prototype, key);
  const waiting: unknown[] = [
    ...allowed.map((name) => realm[name]),
    realm["eval"],
    ...kinds,
    ...[[], new Map(), new Set(), ""].map((each) => each[Symbol.iterator]()),
    "".matchAll(/x/g),
  ];
  const seen = new Set<unknown>([realm]);
  while (waiting.length > 0) {
    const value = waiting.pop();
    const isObject = typeof value === "object" && value !== null;
    if ((!isObject && typeof value !== "function") || seen.has(value)) continue;
    seen.add(value);
    waiting.push(Object.getPrototypeOf(value));
    for (const key of Reflect.ownKeys(value as object)) {
      const found = Object.getOwnPropertyDescriptor(value, key);
      waiting.push(found?.value, found?.get, found?.set);
    }
    Object.freeze(value);
  }
}

/** Runs the script, and gives what it exports by default. */
export function runScript(
  script: (...globals: readonly unknown[]) => ScriptBody,
  names: readonly string[],
  packages: Readonly<Record<string, unknown>>,
): unknown {
  const realm = globalThis as unknown as Bag;
  const require = (name: string): unknown => {
    if (Object.hasOwn(packages, name)) return packages[name];
    const known = Object.keys(packages).join(", ");
    throw new Error(
      `${name} is not there for rule files; they import ${known} and files beside them`,
    );
  };
  const module = { exports: {} };
  script(...names.map((name) => realm[name]))(module.exports, require, module);
  return (module.exports as { readonly default?: unknown }).default;
}
