import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Deadlines that suit a test, and that what keeps the contract meets on a busy machine too. */
const deadlines = 'startTimeout: "8s", stopTimeout: "2s", checkEvery: "1s", checkTimeout: "2s"';

const directory = mkdtempSync(join(tmpdir(), "halon-conform-file-"));

/** Takes away all that was written. */
export function dropServiceFiles(): void {
  rmSync(directory, { recursive: true, force: true });
}

/** Writes a service file with these fields beside its name and deadlines; gives its path. */
export function serviceFile(fields: string, before = ""): string {
  const path = join(mkdtempSync(join(directory, "f-")), "it.service.ts");
  const text = `import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { defineService, secret, z } from "@halon/service";
${before}
void [spawn, createServer, secret, z];
export default defineService({ name: "it", version: "1.0.0", ${deadlines}, ${fields} });
`;
  writeFileSync(path, text);
  return path;
}
