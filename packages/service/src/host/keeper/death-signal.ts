import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

type Command = readonly [string, ...string[]];

let found: { readonly setpriv: string | undefined } | undefined;

/**
 * The command such that the kernel kills it when its parent ends, however that ends.
 *
 * By `setpriv` of util-linux; where there is none, as it is.
 */
export function withDeathSignal(command: Command): Command {
  found ??= { setpriv: findSetpriv() };
  const { setpriv } = found;
  return setpriv === undefined ? command : [setpriv, "--pdeathsig", "KILL", "--", ...command];
}

/** Busybox has a program of this name that does not know the option. */
function findSetpriv(): string | undefined {
  const places = [...(process.env["PATH"] ?? "").split(":"), "/usr/bin", "/bin"];
  return places
    .map((place) => join(place, "setpriv"))
    .filter((path) => path.startsWith("/") && isExecutable(path))
    .find((path) => {
      const help = spawnSync(path, ["--help"], { encoding: "utf8", timeout: 1_000 });
      return `${help.stdout}${help.stderr}`.includes("--pdeathsig");
    });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
