import type { Command } from "commander";
import { z } from "zod";
import type { Io } from "../../io.ts";
import type { Column } from "../../output/table.ts";
import { type AgencySession, agencyAction, succeeded } from "./session.ts";

const Members = z.object({
  members: z.array(
    z.object({
      id: z.string(),
      address: z.string(),
      role: z.string(),
      index: z.number().nullable(),
      ackedMs: z.number().nullable(),
    }),
  ),
});
type MemberRow = z.infer<typeof Members>["members"][number];

const path = "/v1/agency/members";

const columns: readonly Column<MemberRow>[] = [
  { title: "ADDRESS", value: ({ address }) => address, canShrink: true },
  { title: "ROLE", value: ({ role }) => role },
  { title: "INDEX", value: ({ index }) => index ?? undefined },
  {
    title: "ACKED",
    value: ({ ackedMs }) => (ackedMs === null ? "" : `${Math.round(ackedMs)} ms ago`),
  },
  { title: "ID", value: ({ id }) => id, canShrink: true },
];

/** `agency member`. */
export function addMember(agency: Command, io: Io): void {
  const member = agency.command("member").description("who keeps the store");
  member
    .command("list")
    .description("all members, and how far the leader knows them to be")
    .action(
      agencyAction(io, async ({ client, print }) => {
        const reply = await client.call("GET", `${path}?redirectToLeader=true`);
        print.list(columns, succeeded(reply, Members).members, ({ id }) => id);
      }),
    );
  member
    .command("add")
    .description("take in a process started with --join; it votes when it has caught up")
    .argument("<host:port>", "where it listens")
    .option("--learner", "it gets everything and never votes")
    .action(
      agencyAction(io, (session, add: string, { learner = false }: { learner?: boolean }) =>
        change(session, { add, learner }),
      ),
    );
  member
    .command("promote")
    .description("let a learner vote")
    .argument("<member>", "its id or address")
    .action(agencyAction(io, (session, promote: string) => change(session, { promote })));
  member
    .command("remove")
    .description("take a member out; its process ends")
    .argument("<member>", "its id or address")
    .action(agencyAction(io, (session, remove: string) => change(session, { remove })));
}

async function change({ client, print }: AgencySession, body: object): Promise<void> {
  const reply = await client.call("POST", path, JSON.stringify(body));
  const { id } = succeeded(reply, z.object({ id: z.string() }));
  print.one({ id }, id);
}
