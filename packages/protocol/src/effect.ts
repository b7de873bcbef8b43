import { z } from "zod";
import { SecretReference } from "./secret.ts";

/** Characters of what a program wrote, or a webhook answered, that an event holds. */
export const effectTextMax = 4_096;

/** How something that a rule had done by a node ended. */
export const RunOutcome = z.enum(["done", "failed", "refused", "timedOut", "unknown"]);
export type RunOutcome = z.infer<typeof RunOutcome>;

/** How much an alert matters; the first is the least. */
export const AlertSeverity = z.enum(["info", "warning", "critical"]);
export type AlertSeverity = z.infer<typeof AlertSeverity>;

/** The rule, `<file>/<rule>`, that asked for something; `key`: of its job. */
export const Asked = z.strictObject({ rule: z.string(), key: z.string().optional() });
export type Asked = z.infer<typeof Asked>;

/** Name of a program in the allow-list of a node. */
export const ProgramName = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/,
    "expected a name of a-z, 0-9 and . _ -, at most 63 characters",
  );

/** Arguments that a rule gives to a program: each is one argument of the process, and no shell reads it. */
export const ProgramArguments = z
  .array(
    z
      .string()
      .max(4_096)
      .regex(/^[^\0]*$/, "expected no character NUL"),
  )
  .max(64);

const HeaderValue = z.union([
  z
    .string()
    .max(8_192)
    .regex(/^[\t\x20-\x7e]*$/, "expected printable ASCII in one line"),
  SecretReference,
]);

/** Headers of a call by their names in small letters; those of the connection are not for rules to set. */
export const CallHeaders = z
  .record(z.string().max(128), HeaderValue)
  .superRefine((headers, { addIssue }) => {
    for (const name of Object.keys(headers)) {
      const message = flawOfHeader(name);
      if (message !== undefined) addIssue({ code: "custom", path: [name], message });
    }
  });
export type CallHeaders = z.infer<typeof CallHeaders>;

const reservedHeaders: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "idempotency-key",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

function flawOfHeader(name: string): string | undefined {
  if (reservedHeaders.has(name)) return "this header is set by Halon; leave it out";
  if (/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) return undefined;
  return "expected the name of a header, in small letters";
}

/** `http://` or `https://` with a host; no user name, password or fragment: a secret belongs into a header, by reference. */
export const CallUrl = z
  .string()
  .max(4_096)
  .regex(
    /^https?:\/\/[A-Za-z0-9.[\]:_-]+([/?][\x21-\x22\x24-\x7e]*)?$/,
    "expected http:// or https:// and a host, without user name, password or fragment",
  );

/** What may be shown of the address of a call: without its query. */
export function shownUrl(url: string): string {
  return url.replace(/[?#].*$/s, "").replace(/^([a-z]+:\/\/)[^/]*@/i, "$1");
}
