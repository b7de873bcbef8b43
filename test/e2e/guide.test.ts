import { spawn } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { blocksOf, missingLine, type Typed, typedIn } from "../docs/blocks.ts";
import { read } from "../docs/repository.ts";
import { cleanUp, follow, root, startCluster, temporaryDirectory, waitFor } from "./cluster.ts";

afterEach(cleanUp);

/** What reads may be asked again, until it shows what the page says. */
const reading =
  /^npx halonctl (event list|service|rule (list|show)|status)\b(?!.* (stop|start|restart)\b)/;

const pages = ["docs/rules/first-rule-file.md", "docs/rules/statecharts.md"];

test("a newcomer who does what the guides to rules say sees what they say", async () => {
  const clone = temporaryDirectory();
  for (const name of ["node_modules", "examples", "package.json", "tsconfig.base.json"])
    symlinkSync(join(root, name), join(clone, name));
  const { endpoint, output } = await startCluster(join(clone, "halon-data"), {
    launcher: join(root, "examples/hello/start.mjs"),
  });
  const begun = performance.now();
  let commands = 0;
  for (const block of pages.flatMap((page) => blocksOf(read(page)))) {
    if (block.file !== undefined) {
      mkdirSync(dirname(join(clone, block.file)), { recursive: true });
      writeFileSync(join(clone, block.file), block.text);
    } else if (block.language === "console") {
      for (const typed of typedIn(block)) {
        commands += 1;
        await type(clone, endpoint, typed).catch(async (cause: unknown) => {
          const decided = await run(clone, endpoint, "halonctl event list -o wide");
          throw new Error(`${String(cause)}\n${decided}\n${output()}`);
        });
      }
    }
  }
  expect(commands).toBeGreaterThan(20);
  console.log(`${commands} commands: ${Math.round(performance.now() - begun)} ms`);
}, 600_000);

async function type(clone: string, endpoint: string, { command, printed }: Typed): Promise<void> {
  const once = async () => {
    const output = await run(clone, endpoint, command);
    const missing = missingLine(printed, output);
    if (missing === null) return true;
    throw new Error(`$ ${command}\nexpected ${JSON.stringify(missing)}, printed:\n${output}`);
  };
  if (reading.test(command)) await waitFor(`the output of ${command}`, once, 30_000);
  else await once();
}

/** As a shell at the top of the clone would; `npx` itself is left out, as it takes longer than what it runs. */
async function run(clone: string, endpoint: string, command: string): Promise<string> {
  const child = spawn("sh", ["-c", `{ ${command.replaceAll(/\bnpx /g, "")}; } 2>&1`], {
    cwd: clone,
    env: {
      ...process.env,
      PATH: `${join(clone, "node_modules/.bin")}:${process.env["PATH"]}`,
      HALON_ENDPOINT: endpoint,
      NO_COLOR: "1",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const late = setTimeout(() => child.kill("SIGKILL"), 60_000);
  const { stdout } = await follow(child).ended;
  clearTimeout(late);
  return stdout;
}
