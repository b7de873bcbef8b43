import { readFileSync } from "node:fs";
import { Name } from "@halon/protocol";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { usage } from "../failure.ts";
import type { RawSettings } from "./settings.ts";

const Text = z.union([z.string(), z.number()]).transform(String);

const File = z.strictObject({
  "data-dir": Text.optional(),
  listen: Text.optional(),
  advertise: Text.optional(),
  name: Name.optional(),
  label: z.record(z.string(), Text).optional(),
  join: z.union([z.string().transform((text) => [text]), z.array(z.string())]).optional(),
  "agency-size": Text.optional(),
  local: Text.optional(),
  "allow-run": z.string().optional(),
  apply: z.union([z.string().transform((text) => [text]), z.array(z.string())]).optional(),
  store: z.string().optional(),
  insecure: z.boolean().optional(),
  log: z
    .strictObject({ level: z.string(), format: z.string(), file: z.string() })
    .partial()
    .optional(),
});

/** Reads a configuration file; an unknown key is an error that names it. */
export function readSettingsFile(path: string): RawSettings {
  const {
    "data-dir": dataDir,
    "agency-size": agencySize,
    "allow-run": allowRun,
    label,
    log,
    ...rest
  } = parseFile(path);
  return {
    ...rest,
    dataDir,
    agencySize,
    allowRun,
    label:
      label === undefined
        ? undefined
        : Object.entries(label).map(([key, value]) => `${key}=${value}`),
    logLevel: log?.level,
    logFormat: log?.format,
    logFile: log?.file,
  };
}

function parseFile(path: string): z.infer<typeof File> {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(path, "utf8"));
  } catch (error) {
    throw usage(`The file ${path} cannot be read: ${(error as Error).message.split("\n")[0]}`);
  }
  const parsed = File.safeParse(content ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined ? "" : issue.path.join(".");
  throw usage(
    `The file ${path} is not valid: ${where === "" ? "" : `${where}: `}${issue?.message}.`,
  );
}
