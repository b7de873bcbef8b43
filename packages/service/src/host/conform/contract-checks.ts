import { HalonError, type JsonSchema } from "@halon/protocol";
import { checkArguments } from "../runtime/arguments.ts";
import { hashOf, schemaFor } from "../runtime/configuration.ts";
import { Finding, NotForIt, ok, textOf, type Verdict } from "./finding.ts";
import { argumentsFor, type SecretReferences } from "./schema-values.ts";
import type { Stage, Tap } from "./stage.ts";

const messageMs = 5_000;

export async function messages(stage: Stage, secrets: SecretReferences): Promise<Verdict> {
  const { messages: declared = {} } = stage.manifest;
  const names = Object.keys(declared);
  if (names.length === 0) throw new NotForIt("it declares no messages");
  const { instance } = await stage.start();
  let answered = 0;
  let threw = 0;
  for (const [name, schema] of Object.entries(declared)) {
    const { good, bad } = argumentsFor(schema, secrets);
    await requireRefusals(stage, instance, name, bad);
    if (good === undefined || !isTaken(stage, name, good)) continue;
    const how = await callOnce(stage, instance, name, good);
    if (how === "answered") answered += 1;
    else threw += 1;
  }
  const rest = names.length - answered - threw;
  const more = rest === 0 ? "" : `, ${rest} whose arguments cannot be made up`;
  return ok(`${answered} answered, ${threw} refused by itself${more}`);
}

function isTaken(stage: Stage, name: string, args: Parameters<typeof checkArguments>[2]): boolean {
  try {
    checkArguments(stage.manifest, name, args);
    return true;
  } catch {
    return false;
  }
}

async function requireRefusals(
  stage: Stage,
  instance: string,
  name: string,
  bad: readonly Parameters<typeof checkArguments>[2][],
): Promise<void> {
  const wrong = bad.find((args) => !isTaken(stage, name, args));
  if (wrong === undefined) return;
  try {
    await stage.call(instance, name, wrong, messageMs);
  } catch (error) {
    if (error instanceof HalonError && error.code === "HAL_SCHEMA_VIOLATION") return;
    stage.requireRunning(instance);
    throw new Finding(`message ${name} with bad arguments: ${textOf(error)}`);
  }
  throw new Finding(`message ${name} takes bad arguments`);
}

/** An error of its own is an answer; silence, an end, and a message that is not there are none. */
async function callOnce(
  stage: Stage,
  instance: string,
  name: string,
  args: Parameters<typeof checkArguments>[2],
): Promise<"answered" | "threw"> {
  try {
    await stage.call(instance, name, args, messageMs);
    return "answered";
  } catch (error) {
    stage.requireRunning(instance);
    if (error instanceof HalonError && error.code === "HAL_FAILED") return "threw";
    throw new Finding(`message ${name}: ${textOf(error)}`);
  }
}

export async function resources(stage: Stage): Promise<Verdict> {
  const started = await stage.start();
  await started.tap.runner.check(stage.manifest.checkTimeoutMs).catch(() => undefined);
  stage.requireRunning(started.instance);
  requireDeclared(stage, started.tap);
  await stage.stop(started);
  requireDeclared(stage, started.tap);
  const count = started.tap.told.filter(({ type }) => type === "acquired").length;
  return ok(count === 0 ? "it holds none" : `${count} acquired, none held after its end`);
}

function requireDeclared(stage: Stage, { told }: Tap): void {
  const declared = stage.manifest.resources;
  const held = new Set<string>();
  for (const event of told) {
    if (event.type !== "acquired" && event.type !== "released") continue;
    const key = `${event.kind}/${event.id}`;
    const schema = Object.hasOwn(declared, event.kind) ? declared[event.kind] : undefined;
    if (schema === undefined) {
      throw new Finding(`it acquires ${key}, and its type does not declare the kind ${event.kind}`);
    }
    if (event.type === "acquired") {
      requireAttributes(key, schema, event.attributes);
      held.add(key);
    } else if (!held.delete(key)) {
      throw new Finding(`it releases ${key}, which it does not hold`);
    }
  }
}

function requireAttributes(key: string, schema: JsonSchema, attributes: unknown): void {
  const parsed = schemaFor(hashOf(schema), schema).safeParse(attributes);
  if (parsed.success) return;
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? []).map(String).join(".");
  throw new Finding(`the attributes of ${key} do not fit: ${path} ${issue?.message ?? ""}`);
}
