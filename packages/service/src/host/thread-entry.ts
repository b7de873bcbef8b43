/**
 * URL of the compiled entry of a thread, `name` being its path under `host` without extension.
 *
 * A worker thread cannot load TypeScript, so from source the built file is taken.
 */
export function threadEntry(name: string): URL {
  const fromSource = import.meta.url.endsWith(".ts");
  return new URL(fromSource ? `../../dist/host/${name}.js` : `./${name}.js`, import.meta.url);
}
