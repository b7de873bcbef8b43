/**
 * `npm run boundaries`: imports go only where RFC 0001 lets them, and cores stay pure.
 *
 * `node tools/boundaries.mjs [--strict] [root]`; `--strict` makes an unused dependency an error.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { readLayers } from "./layers.mjs";

/** Libraries that read no clock, random source, file or socket in what cores use of them. */
const pureLibraries = new Set(["graphology", "graphology-dag", "immer", "xstate", "zod"]);

/** Declared for what they do without an import of ours. */
const usedWithoutImport = new Map([
  ["graphology-types", "the types that graphology's own imports"],
]);

const builtins = new Set(builtinModules);

/** Tests, and the suites that tests of several implementations share; neither is part of a build. */
const isTest = (path) => /(?:\.test|\/conformance|\/testing)\.[mc]?tsx?$/.test(path);

/** @returns {{ name: string, directory: string, manifest: any }[]} */
function readPackages(root) {
  return readdirSync(join(root, "packages"))
    .filter((name) => existsSync(join(root, "packages", name, "package.json")))
    .map((name) => {
      const directory = join(root, "packages", name);
      const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
      return { name, directory, manifest };
    });
}

/** Every import of every source file, type-only and dynamic ones included. */
function readImports(pack) {
  const source = join(pack.directory, "src");
  if (!existsSync(source)) return [];
  return readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.[mc]?tsx?$/.test(path))
    .map((path) => {
      const file = join(source, path);
      const { importedFiles } = ts.preProcessFile(readFileSync(file, "utf8"), true, true);
      return { file, imports: importedFiles.map((entry) => entry.fileName) };
    });
}

/** The directory that a core file may not leave, or null when the file is no core. */
function coreOf(pack, layer, file) {
  const source = join(pack.directory, "src");
  const core = layer === "core" ? source : join(source, "core");
  return isInside(file, core) && !isTest(file) ? core : null;
}

function isInside(path, directory) {
  return !relative(directory, path).startsWith("..");
}

/** `@halon/service/core` is package `service`, entry `./core`. */
function workspaceTarget(specifier) {
  const match = /^@halon\/([^/]+)(\/.+)?$/.exec(specifier);
  return match === null ? null : { name: match[1], entry: `.${match[2] ?? ""}` };
}

function libraryOf(specifier) {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function isBuiltin(specifier) {
  return specifier.startsWith("node:") || builtins.has(libraryOf(specifier));
}

/** What is wrong with one import, in words; nothing when it is right. */
function faults(specifier, context) {
  const { pack, rights, file, core } = context;
  if (specifier.startsWith(".")) return relativeFaults(specifier, file, pack, core);
  const target = workspaceTarget(specifier);
  if (target !== null) return workspaceFaults(specifier, target, context);
  if (isBuiltin(specifier)) return core === null ? [] : [`a core may not import ${specifier}`];
  const library = libraryOf(specifier);
  const found = [];
  if (core !== null && !pureLibraries.has(library)) found.push(`a core may not import ${library}`);
  if (!isTest(file) && pack.manifest.dependencies?.[library] === undefined)
    found.push(
      `imports ${library}, which package.json of ${rights.layer} package ${pack.name} does not declare`,
    );
  return found;
}

function relativeFaults(specifier, file, pack, core) {
  const path = resolve(dirname(file), specifier);
  if (isTest(file) && path.includes("/testdata/")) return [];
  if (!isInside(path, pack.directory))
    return [`${specifier} leaves the package; import it by name`];
  if (core !== null && !isInside(path, core)) return [`${specifier} leaves the core`];
  return [];
}

function workspaceFaults(specifier, target, { pack, rights, all, packages, file, core }) {
  const other = packages.get(target.name);
  if (other === undefined) return [`there is no package ${specifier}`];
  const found = [];
  if (other.manifest.exports?.[target.entry] === undefined)
    found.push(`${specifier} is not among the exports of ${target.name}`);
  if (target.name === pack.name) return found;
  if (!rights.may.has(target.name))
    found.push(`${pack.name} (${rights.layer}) may not import ${target.name} (RFC 0001)`);
  if (core !== null && all.get(target.name)?.layer !== "core" && target.entry !== "./core")
    found.push(`a core may not import ${specifier}, only its /core`);
  // The simulator runs what decides and none of the drivers around it (RFC 0009).
  if (
    rights.layer === "test" &&
    all.get(target.name)?.layer !== "core" &&
    target.entry !== "./core"
  )
    found.push(`${pack.name} (test) may not import ${specifier}, only its /core`);
  if (!isTest(file) && pack.manifest.dependencies?.[`@halon/${target.name}`] === undefined)
    found.push(
      `imports @halon/${target.name}, which package.json of ${pack.name} does not declare`,
    );
  return found;
}

/** The RFC, the packages and their tags name the same layers. */
function layerFaults(all, packages) {
  const found = [];
  for (const name of all.keys())
    if (!packages.has(name))
      found.push(`rfc/0001: package ${name} of the layer table does not exist`);
  for (const { name, directory } of packages.values()) {
    const layer = all.get(name)?.layer;
    if (layer === undefined) found.push(`packages/${name}: not in the layer table of RFC 0001`);
    const config = join(directory, "turbo.json");
    const tags = existsSync(config) ? JSON.parse(readFileSync(config, "utf8")).tags : undefined;
    if (layer !== undefined && tags !== undefined && tags[0] !== layer)
      found.push(`packages/${name}/turbo.json: tagged ${tags[0]}, RFC 0001 says ${layer}`);
  }
  return found;
}

function unusedDependencies(pack, used) {
  return Object.keys(pack.manifest.dependencies ?? {})
    .filter((name) => !used.has(name) && !usedWithoutImport.has(name))
    .map((name) => `packages/${pack.name}/package.json: declares ${name}, which nothing imports`);
}

/** @param {string} root The repository. */
function inspect(root) {
  const all = readLayers(readFileSync(join(root, "rfc/0001-architecture.md"), "utf8"));
  const packages = new Map(readPackages(root).map((pack) => [pack.name, pack]));
  const errors = layerFaults(all, packages);
  const unused = [];
  let files = 0;
  for (const pack of packages.values()) {
    const rights = all.get(pack.name) ?? { layer: "unknown", may: new Set() };
    const used = new Set();
    for (const { file, imports } of readImports(pack)) {
      files += 1;
      const core = coreOf(pack, rights.layer, file);
      for (const specifier of imports) {
        if (!isTest(file)) used.add(libraryOf(specifier));
        for (const fault of faults(specifier, { pack, rights, all, packages, file, core }))
          errors.push(`${relative(root, file)}: ${fault}`);
      }
    }
    unused.push(...unusedDependencies(pack, used));
  }
  if (files === 0) errors.push("no source file was read, so nothing was checked");
  return { files, packages: packages.size, errors, unused };
}

function main(args) {
  const strict = args.includes("--strict");
  const given = args.find((arg) => !arg.startsWith("--"));
  const root = resolve(given ?? fileURLToPath(new URL("..", import.meta.url)));
  const { files, packages, errors, unused } = inspect(root);
  const failures = strict ? [...errors, ...unused] : errors;
  for (const failure of failures) console.error(`error: ${failure}`);
  if (!strict && unused.length > 0)
    console.error(`warning: ${unused.length} unused dependencies (--strict lists them)`);
  console.log(`boundaries: ${files} files of ${packages} packages, ${failures.length} violations`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

main(process.argv.slice(2));
