/**
 * `node ../../tools/bundle.mjs NAME=src/FILE.ts …`, in a package: puts programs and threads, with all that they import,
 * into `dist/bundle/NAME.js` and the chunks that they share.
 *
 * A node loads 700 modules in its main thread, and many of them in its threads again; found, read and compiled one by
 * one they take half of its start. Locales of zod are left out: nobody asks for them.
 * What runs an author's code is not put together, so that it has no other copy of a library than that code.
 */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const packages = fileURLToPath(new URL("../packages/", import.meta.url));
const outdir = join(process.cwd(), "dist/bundle");
const dayMs = 86_400_000;

/** Packages that are left where they are: native code, and optional libraries that are tried for. */
const external = ["esbuild", "bufferutil", "utf-8-validate", "msgpackr-extract"];

/**
 * Files of a package are found by the place of the module that looks for them: to a bundle it is where the module itself
 * was compiled to, seen from the bundle. Packages stand side by side, here and in `node_modules`.
 */
const places = {
  name: "places",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      if (!path.startsWith(packages) || !text.includes("import.meta.url")) return undefined;
      const compiled = path.replace(`${sep}src${sep}`, `${sep}dist${sep}`).replace(/\.ts$/, ".js");
      const place = JSON.stringify(relative(outdir, compiled).replaceAll(sep, "/"));
      const contents = text.replaceAll(
        "import.meta.url",
        `new URL(${place}, import.meta.url).href`,
      );
      return { contents, loader: "ts" };
    });
  },
};

const oneLocale = {
  name: "one-locale",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
    }));
  },
};

const entryPoints = Object.fromEntries(process.argv.slice(2).map((each) => each.split("=", 2)));
const { metafile } = await build({
  entryPoints,
  outdir,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  conditions: ["@halon/source"],
  external,
  sourcemap: true,
  sourcesContent: false,
  legalComments: "linked",
  plugins: [places, oneLocale],
  // Libraries in CommonJS load what Node brings with it.
  banner: {
    js: 'import { createRequire as bundledRequire } from "node:module"; const require = bundledRequire(import.meta.url);',
  },
  logLevel: "warning",
  metafile: true,
});
removeOld(new Set(Object.keys(metafile.outputs).map((path) => basename(path))));

/** What runs from here still asks for chunks of the build that it began with, which have other names: they stay for a day. */
function removeOld(present) {
  for (const name of readdirSync(outdir)) {
    const path = join(outdir, name);
    if (!present.has(name) && Date.now() - statSync(path).mtimeMs > dayMs) rmSync(path);
  }
}
