import { randomUUID } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { z } from "zod";

const seenFile = z.object({ etcdClusterId: z.string(), revision: z.number() });

/** How far an etcd has come: it never goes back, unless it is restored from a copy. */
export type Seen = z.infer<typeof seenFile>;

/** What an earlier handle has seen. A file that cannot be read tells nothing: it only guards what etcd itself holds. */
export async function loadSeen(path: string): Promise<Seen | undefined> {
  try {
    return seenFile.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined;
  }
}

/** Replaces the file as a whole. */
export async function saveSeen(path: string, seen: Seen): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  const file = await open(aside, "w", 0o600);
  try {
    await file.writeFile(JSON.stringify(seen));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
}
