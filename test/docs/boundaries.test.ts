import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { root } from "./repository.ts";

let tree: string;

const rfc = `# RFC 0001

### Layers and packages

| layer | packages | may import |
| --- | --- | --- |
| core | \`protocol\` | \`protocol\` |
| runtime | \`actor\`, \`service\` | core; \`service\` imports \`actor\` |
| app | \`node\` | everything below |
| test | \`sim\` | core; \`sim\` imports \`service\` |
`;

/** A small, correct repository; each test plants one fault in it. */
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "halon-boundaries-"));
  write("rfc/0001-architecture.md", rfc);
  writePackage("protocol", []);
  writePackage("actor", ["protocol"]);
  writePackage("service", ["protocol", "actor"]);
  writePackage("node", ["service"]);
  writePackage("sim", ["protocol"]);
});

afterEach(() => rmSync(tree, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text);
}

function writePackage(name: string, uses: readonly string[]): void {
  const dependencies = Object.fromEntries(uses.map((other) => [`@halon/${other}`, "0.1.0"]));
  const exports = { ".": "./dist/index.js", "./core": "./dist/core/index.js" };
  write(
    `packages/${name}/package.json`,
    JSON.stringify({ name: `@halon/${name}`, exports, dependencies }),
  );
  const imports = uses.map((other) => `import { x as ${other} } from "@halon/${other}";`);
  write(`packages/${name}/src/index.ts`, [...imports, "export const x = 1;"].join("\n"));
}

function boundaries(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, "tools/boundaries.mjs"), ...args, tree],
    { encoding: "utf8" },
  );
  return { status, text: stdout + stderr };
}

test("a correct tree passes, and the number of files read is printed", () => {
  expect(boundaries("--strict")).toEqual({
    status: 0,
    text: "boundaries: 5 files of 5 packages, 0 violations\n",
  });
});

test("one fault is enough to fail", () => {
  write("packages/actor/src/up.ts", 'import "@halon/node";');
  expect(boundaries().status).toBe(1);
});

const faults = [
  {
    fault: "an import up the layers",
    path: "packages/actor/src/up.ts",
    source: 'import type { X } from "@halon/node";',
    says: "actor (runtime) may not import node",
  },
  {
    fault: "an import across a layer that no clause grants",
    path: "packages/actor/src/across.ts",
    source: 'export { x } from "@halon/service";',
    says: "actor (runtime) may not import service",
  },
  {
    fault: "a dynamic import up the layers",
    path: "packages/actor/src/lazy.ts",
    source: 'export const load = () => import("@halon/node");',
    says: "actor (runtime) may not import node",
  },
  {
    fault: "an import up the layers in a test",
    path: "packages/actor/src/up.test.ts",
    source: 'import { x } from "@halon/node";',
    says: "actor (runtime) may not import node",
  },
  {
    fault: "a path that is not exported",
    path: "packages/service/src/inner.ts",
    source: 'import { x } from "@halon/actor/dist/inner.js";',
    says: "not among the exports of actor",
  },
  {
    fault: "a relative path into another package",
    path: "packages/service/src/relative.ts",
    source: 'import { x } from "../../actor/src/index.ts";',
    says: "leaves the package",
  },
  {
    fault: "a file system in a core package",
    path: "packages/protocol/src/disk.ts",
    source: 'import { readFileSync } from "node:fs";',
    says: "a core may not import node:fs",
  },
  {
    fault: "a file system without its prefix in a core",
    path: "packages/protocol/src/bare-disk.ts",
    source: 'import { readFile } from "fs/promises";',
    says: "a core may not import fs/promises",
  },
  {
    fault: "a thread in the core of a runtime package",
    path: "packages/service/src/core/thread.ts",
    source: 'import { Worker } from "node:worker_threads";',
    says: "a core may not import node:worker_threads",
  },
  {
    fault: "a core that reaches for its drivers",
    path: "packages/service/src/core/driver.ts",
    source: 'import { x } from "../index.ts";',
    says: "leaves the core",
  },
  {
    fault: "a core that imports the drivers of another package",
    path: "packages/service/src/core/actor.ts",
    source: 'import { x } from "@halon/actor";',
    says: "only its /core",
  },
  {
    fault: "a simulator that runs a driver",
    path: "packages/sim/src/driver.ts",
    source: 'import { x } from "@halon/service";',
    says: "sim (test) may not import @halon/service, only its /core",
  },
  {
    fault: "a library in a core that is not known to be pure",
    path: "packages/protocol/src/library.ts",
    source: 'import pino from "pino";',
    says: "a core may not import pino",
  },
  {
    fault: "a library that is not declared",
    path: "packages/actor/src/library.ts",
    source: 'import pino from "pino";',
    says: "does not declare",
  },
  {
    fault: "a package that does not exist",
    path: "packages/node/src/missing.ts",
    source: 'import { x } from "@halon/missing";',
    says: "there is no package @halon/missing",
  },
  {
    fault: "a package that the RFC does not know",
    path: "packages/extra/package.json",
    source: "{}",
    says: "not in the layer table",
  },
];

test("each planted fault is found, in its file, and nothing else", () => {
  for (const { path, source } of faults) write(path, source);
  const errors = boundaries()
    .text.split("\n")
    .filter((line) => line.startsWith("error: "));
  const planted = faults.map(({ path }) => `error: ${path.replace("/package.json", "")}: `);
  for (const [index, { fault, says }] of faults.entries()) {
    const found = errors.filter((line) => line.startsWith(planted[index] ?? ""));
    expect(found, fault).toContainEqual(expect.stringContaining(says));
  }
  const innocent = errors.filter((line) => !planted.some((start) => line.startsWith(start)));
  expect(innocent).toEqual([]);
});

test("a test file may use what a core may not, and what package.json does not declare", () => {
  write("packages/protocol/src/x.test.ts", 'import "node:fs"; import "vitest";');
  expect(boundaries().status).toBe(0);
});

test("a dependency that nothing imports is a warning, and with --strict an error", () => {
  write("packages/actor/src/index.ts", "export const x = 1;");
  expect(boundaries()).toMatchObject({ status: 0, text: expect.stringContaining("1 unused") });
  expect(boundaries("--strict")).toMatchObject({
    status: 1,
    text: expect.stringContaining("declares @halon/protocol, which nothing imports"),
  });
});

test("a checker that read nothing does not say that all is well", () => {
  rmSync(join(tree, "packages"), { recursive: true });
  mkdirSync(join(tree, "packages"));
  write("rfc/0001-architecture.md", rfc.replace(/^\| (core|runtime|app|test) .*\n/gm, ""));
  expect(boundaries()).toMatchObject({
    status: 1,
    text: expect.stringContaining("no source file was read"),
  });
});

test("the lint rule for cores finds time, randomness, timers and async, and spares tests", () => {
  for (const path of ["biome.json", "tools/no-ambient.grit"])
    cpSync(join(root, path), join(tree, path));
  const source = [
    "export const a = Date.now();",
    "export const b = Math.random();",
    "export const c = new Date();",
    "export const d = performance.now();",
    "export const e = crypto.randomUUID();",
    "setTimeout(() => a, b);",
    "export const g = process.env;",
    "console.log(g);",
    "export async function h(): Promise<void> {}",
    "export const i = async (): Promise<void> => {};",
    "export const j = { async k(): Promise<void> {} };",
    "export const pure = (ports: { process: Map<string, number> }) => ports.process.size;",
  ].join("\n");
  for (const path of [
    "service/src/core/impure.ts",
    "service/src/core/impure.test.ts",
    "service/src/driver.ts",
  ])
    write(`packages/${path}`, source);
  const { stdout } = spawnSync(
    join(root, "node_modules/.bin/biome"),
    ["lint", "--vcs-enabled=false", "--reporter=json", "--max-diagnostics=none", "packages"],
    { cwd: tree, encoding: "utf8" },
  );
  const report = JSON.parse(stdout) as { diagnostics: readonly Diagnostic[] };
  const found = report.diagnostics.filter((each) => each.category === "plugin");
  expect(found.map((each) => each.location.start.line)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
  ]);
  expect(new Set(found.map((each) => each.location.path))).toEqual(
    new Set(["packages/service/src/core/impure.ts"]),
  );
});

interface Diagnostic {
  readonly category: string;
  readonly location: { readonly path: string; readonly start: { readonly line: number } };
}
