import { existsSync } from "node:fs";
import { join } from "node:path";
import { Name } from "@halon/protocol";
import { readOutput } from "@halon/service/host";

const followEveryMs = 250;
const followLines = 1_000;
/** Read for each line that is asked for. */
const lineBytes = 512;

/** What the services of this node wrote. */
export interface ServiceLogs {
  /** Undefined when the service never ran here. */
  tail(service: string, lines: number): Promise<string | undefined>;
  follow(service: string, listener: (text: string) => void): () => void;
}

export function openServiceLogs(dataDir: string): ServiceLogs {
  const directory = (service: string): string => join(dataDir, "services", Name.parse(service));
  const tail = async (service: string, lines: number): Promise<string | undefined> => {
    if (!existsSync(directory(service))) return undefined;
    const text = await readOutput(directory(service), Math.min(lines * lineBytes, 4_194_304));
    const all = text.split("\n");
    const ends = all.at(-1) === "" ? 1 : 0;
    return all.slice(-(lines + ends)).join("\n");
  };
  return {
    tail,
    follow: (service, listener) => {
      let seen: string | undefined;
      let isLooking = false;
      const look = async (): Promise<void> => {
        if (isLooking) return;
        isLooking = true;
        const text = (await tail(service, followLines).catch(() => undefined)) ?? "";
        isLooking = false;
        if (seen !== undefined && text !== seen) listener(added(seen, text));
        seen = text;
      };
      void look();
      const timer = setInterval(() => void look(), followEveryMs);
      return () => clearInterval(timer);
    },
  };
}

/** What `after` has behind the part that it shares with `before`; both are the last lines of one growing text. */
function added(before: string, after: string): string {
  if (after.startsWith(before)) return after.slice(before.length);
  const lines = before.split("\n");
  for (let dropped = 1; dropped < lines.length; dropped += 1) {
    const rest = lines.slice(dropped).join("\n");
    if (rest !== "" && after.startsWith(rest)) return after.slice(rest.length);
  }
  return after;
}
