// The floor: what one Node process needs that starts a program again when it has ended, and does nothing else.
//   node floor.mjs <stamps file> <system call number> <instances>
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [stamps, clock, count] = process.argv.slice(2);
const victim = fileURLToPath(new URL("./victim.pl", import.meta.url));
let isStopping = false;
const children = [];

function start(instance) {
  const spawnedAt = process.hrtime.bigint();
  const child = spawn("perl", [victim, stamps, `floor/${instance}`, clock], { stdio: "ignore" });
  children[instance] = child;
  child.on("exit", () => {
    if (!isStopping) start(instance);
  });
  appendFileSync(stamps, `${spawnedAt} spawn/floor/${instance} 0\n`);
}

for (let instance = 0; instance < Number(count); instance++) start(instance);
process.on("SIGTERM", () => {
  isStopping = true;
  for (const child of children) child.kill("SIGKILL");
  process.exit(0);
});
