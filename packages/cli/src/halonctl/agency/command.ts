import { HalonError } from "@halon/protocol";
import type { Command } from "commander";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { usage } from "../../failure.ts";
import type { Io } from "../../io.ts";
import { indented } from "../../output/json-text.ts";
import type { Printer } from "../../output/print.ts";
import { addMember } from "./member.ts";
import { type AgencySession, agencyAction, succeeded } from "./session.ts";

const Config = z.looseObject({ configuration: z.looseObject({ id: z.string() }) });
const Written = z.object({ results: z.array(z.number()) });

/** `agency`. */
export function addAgency(program: Command, io: Io): void {
  const agency = program.command("agency").description("the replicated store");
  agency
    .command("config")
    .description("leader, members and settings, as the first endpoint sees them")
    .action(
      agencyAction(io, async ({ client, print }) => {
        const config = succeeded(await client.call("GET", "/_api/agency/config"), Config);
        print.one(config, config.configuration.id);
      }),
    );
  agency
    .command("read")
    .description("what stands at paths, all read at one instant")
    .argument("<path...>", "such as /a/b; / is all")
    .action(agencyAction(io, read));
  agency
    .command("write")
    .description("write transactions; either all of one is done, or nothing")
    .argument("<json>", `operations {"/a":1}, or a list [[{"/a":1},{"/b":{"old":2}}]]`)
    .action(agencyAction(io, write));
  addMember(agency, io);
  agency
    .command("transfer-leader")
    .description("hand the leadership to a member")
    .argument("<member>", "its id or address")
    .action(
      agencyAction(io, async ({ client, print }, to: string) => {
        const body = JSON.stringify({ to });
        const reply = await client.call("POST", "/v1/agency/transfer-leader", body);
        const { leaderId } = succeeded(reply, z.object({ leaderId: z.string() }));
        print.one({ leaderId }, leaderId);
      }),
    );
}

async function read({ client, print, io }: AgencySession, paths: readonly string[]): Promise<void> {
  const reply = await client.call("POST", "/_api/agency/read", JSON.stringify([paths]));
  succeeded(reply, z.array(z.unknown()));
  showText(print, io, reply.text.trim().slice(1, -1));
}

/** The text goes out as it is: read as values, large integers would lose digits. */
async function write({ client, print, io }: AgencySession, json: string): Promise<void> {
  const body = json.trim().startsWith("{") ? `[[${json}]]` : json;
  try {
    JSON.parse(body);
  } catch (error) {
    throw usage(`Expected the transactions to be JSON: ${(error as Error).message}.`);
  }
  const reply = await client.call("POST", "/_api/agency/write", body);
  const isPartial = reply.status === 403 || reply.status === 412;
  const { results } = succeeded({ ...reply, status: isPartial ? 200 : reply.status }, Written);
  if (print.format === "name") io.out(results.map((index) => `${index}\n`).join(""));
  else showText(print, io, reply.text);
  const refused = results.flatMap((index, at) => (index === 0 ? [at + 1] : []));
  if (refused.length === 0) return;
  const which = `${refused.length} of ${results.length} transactions changed nothing (number ${refused.slice(0, 10).join(", ")}${refused.length > 10 ? ", …" : ""})`;
  if (reply.status === 412)
    throw new HalonError("HAL_CONFLICT", `${which}: a precondition failed.`);
  if (reply.status === 403)
    throw new HalonError("HAL_FORBIDDEN", `${which}: /.agency is reserved.`);
  throw new HalonError("HAL_FAILED", `${which}: an operator does not fit what stands there.`);
}

function showText(print: Printer, io: Io, text: string): void {
  if (print.format === "yaml") print.one(parseYaml(text, { intAsBigInt: true }), "");
  else if (print.format === "ndjson") io.out(`${text}\n`);
  else io.out(`${indented(text)}\n`);
}
