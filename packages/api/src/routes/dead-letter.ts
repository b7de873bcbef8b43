import { HalonError } from "@halon/protocol";
import { readJson } from "../body.ts";
import { DeadLetterRequest, WaitQuery } from "../request.ts";
import { request202 } from "./change.ts";
import {
  answer,
  answerOfLeader,
  queryOf,
  type Route,
  type RouteContext,
  route,
} from "./context.ts";

const requestEvents = {
  retry: "DeadLetterRetryRequested",
  drop: "DeadLetterDropRequested",
} as const;

/** Events that nothing has handled, and what people decide about them. Only the leader knows them. */
export function deadLetterRoutes(context: RouteContext): readonly Route[] {
  const { ports, limits } = context;
  const actions = Object.entries(requestEvents).map(([action, type]) =>
    route("POST", `/v1/dead-letters/${action}`, async (c) => {
      const elsewhere = await answerOfLeader(c, ports);
      if (elsewhere !== null) return elsewhere;
      const query = queryOf(c, WaitQuery);
      const request = await readJson(c.env.incoming, DeadLetterRequest, limits.bodyBytesMax);
      const events = await eventsOf(context, request, action === "retry");
      const { reason } = request;
      const data = { events, ...(reason === undefined ? {} : { reason }) };
      return request202(c, context, { type, data, ...query });
    }),
  );
  return [
    route("GET", "/v1/dead-letters", async (c) => {
      const elsewhere = await answerOfLeader(c, ports);
      return elsewhere ?? answer(c, context, await ports.deadLetters());
    }),
    ...actions,
  ];
}

/** Ids of the events that are meant. HAL_NOT_FOUND when there is none. */
async function eventsOf(
  { ports }: RouteContext,
  { events, type, all }: DeadLetterRequest,
  isRetry: boolean,
): Promise<readonly string[]> {
  const given = [events, type, all].filter((each) => each !== undefined);
  if (given.length !== 1) {
    throw new HalonError(
      "HAL_BAD_REQUEST",
      "Expected one of events, type and all: which dead letters are meant.",
    );
  }
  if (events !== undefined) return events;
  const { letters } = await ports.deadLetters();
  const meant = letters.filter(
    (letter) =>
      (type === undefined || letter.type === type) && !(isRetry && letter.final !== undefined),
  );
  if (meant.length > 0) return [...new Set(meant.map(({ id }) => id))];
  const what = type === undefined ? "" : ` of type ${type}`;
  throw new HalonError(
    "HAL_NOT_FOUND",
    `There is no dead letter${what}${isRetry ? " that can be decided once more" : ""}; see \`halonctl event dead\`.`,
  );
}
